"""The serving process's end of the process that decodes: orders go out, what is written comes in.

The process is started at once and imports what it needs while others start. When it dies, or hangs
and is given up, every job ends with a fault. All on the event loop, except what says otherwise.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from policy.place import Place

from ..settings import ServerSettings
from .jobs import Again, Event, Fault, Job, Mailbox
from .orders import (
    Broken,
    Cancel,
    Done,
    Drop,
    FailAll,
    Failed,
    Figures,
    Frames,
    Install,
    Load,
    Order,
    Report,
    Room,
    Stepped,
    Stop,
    Submit,
    Task,
    framed,
)

STOPPED = Fault("The model has stopped.", passing=True)


@dataclass
class Sent:
    """A job that is with the process, and how many of its answers are still to end."""

    mailbox: Mailbox
    answers: int


class Worker:
    """Decodes for everybody, in a process of its own."""

    def __init__(self, settings: ServerSettings, log_format: str = "plain") -> None:
        self._settings = settings
        self._log_format = log_format
        self._process: subprocess.Popen[bytes] | None = None
        self._sent: dict[str, Sent] = {}
        self._tasks: dict[Task, Future[Any]] = {}
        self._figures = Figures()
        self._moved_at: float | None = None  # None until it first came round
        self._stopping = False
        self._down = False

    def spawn(self) -> None:
        """Starts the process; it imports what it needs while others do the same."""
        self._end, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            command = [sys.executable, "-m", "server.decode.process", str(descriptor)]
            self._process = subprocess.Popen(
                [*command, self._settings.model_dump_json(), self._log_format],
                stdin=subprocess.DEVNULL,
                pass_fds=[descriptor],
            )

    async def start(self) -> None:
        """Listens to the process, from now on and on this loop."""
        if self._process is None:
            self.spawn()
        self._loop = asyncio.get_running_loop()
        wire = Wire(self._receive, self._lost)
        self._transport, _ = await self._loop.create_unix_connection(lambda: wire, sock=self._end)

    # Orders.

    def install(self, place: Place, model: str) -> str:
        """Makes the model v0; its digest. Waits, on any thread but the loop's. Raises Broken where
        the next try would fail as well, else RuntimeError."""
        digest: str = self._have_done(Install(place, model))
        return digest

    def load(self, order: Load) -> Room:
        """Brings a version into memory, on the tensors of the model in its base. Waits, and raises,
        as `install` does."""
        room: Room = self._have_done(order)
        return room

    def _have_done(self, task: Task) -> Any:
        future = self._tasks[task] = Future[Any]()
        self._send(task)
        if self._down:
            self._fail_tasks()
        return future.result()

    def drop(self, version: str) -> None:
        """Lets go of a version that no request uses any more; from any thread."""
        self._send(Drop(version))

    def submit(self, job: Job, mailbox: Mailbox) -> None:
        if self._down:
            mailbox.put(STOPPED)
            return
        self._sent[job.id] = Sent(mailbox, job.n)
        self._send(Submit(job))

    def cancel(self, job_id: str) -> None:
        """Frees the rows of a job; one that is over, or unknown, is left alone."""
        if self._sent.pop(job_id, None) is not None:
            self._send(Cancel(job_id))

    def fail_all(self, reason: str) -> None:
        """Ends every job with a fault; from any thread."""
        self._send(FailAll(reason))

    def give_up(self) -> None:
        """Ends a process that hangs, and every job with a fault."""
        self._stopping = True
        self._kill()

    async def stop(self, within_s: float) -> None:
        """Ends the process, by force if it takes longer."""
        self._stopping = True
        self._send(Stop())
        if not await asyncio.to_thread(self._ended, within_s):
            self._kill()
        self._transport.close()

    def _ended(self, within_s: float) -> bool:
        try:
            self._running.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _kill(self) -> None:
        self._running.kill()
        self._running.wait()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "start() comes first"
        return self._process

    # What anybody may ask.

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def places(self) -> int | None:
        """Loading finds out: a further version takes memory, which may be there."""
        return None

    @property
    def jobs(self) -> int:
        """Jobs being decoded or waiting for rows."""
        return len(self._sent)

    @property
    def jobs_waiting(self) -> int:
        """Jobs that have no rows yet, over all versions."""
        return self._figures.waiting

    @property
    def jobs_running(self) -> int:
        """Jobs that have rows."""
        return max(0, self.jobs - self.jobs_waiting)

    @property
    def cache_used(self) -> float:
        """The fullest version's share of cache positions that its rows may come to need."""
        return self._figures.cache_used

    @property
    def rows(self) -> int:
        """Rows being decoded, over all versions."""
        return self._figures.rows

    @property
    def trouble(self) -> str | None:
        return "the process that decodes has died" if self.crashed else None

    @property
    def crashed(self) -> bool:
        return self._down and not self._stopping

    @property
    def stalled_s(self) -> float:
        """For how long the process has not come round; a busy one comes round at every step."""
        return 0.0 if self._moved_at is None else time.monotonic() - self._moved_at

    def resumed(self) -> None:
        """Nobody ran for a while: the process is given time anew to come round."""
        if self._moved_at is not None:
            self._moved_at = time.monotonic()

    # Reports.

    def _receive(self, report: Report) -> None:
        match report:
            case Stepped(written, figures):
                self._moved_at, self._figures = time.monotonic(), figures
                for job_id, event in written:
                    self._put(job_id, event)
            case Done(task, result):
                self._tasks.pop(task).set_result(result)
            case Failed(task, reason, lasting):
                error = Broken(reason) if lasting else RuntimeError(reason)
                self._tasks.pop(task).set_exception(error)

    def _put(self, job_id: str, event: Event) -> None:
        sent = self._sent.get(job_id)
        if sent is None:
            return  # cancelled while it was on its way
        assert not isinstance(event, Again), "the process begins no answer twice"
        sent.answers -= isinstance(event, Fault) or event.finish is not None
        if isinstance(event, Fault) or not sent.answers:
            del self._sent[job_id]
        sent.mailbox.put(event)

    def _lost(self) -> None:
        """The process is gone: nothing more will come."""
        self._down, self._figures = True, Figures()
        sent, self._sent = self._sent, {}
        for one in sent.values():
            one.mailbox.put(STOPPED)
        self._fail_tasks()

    def _fail_tasks(self) -> None:
        """On the loop, or on the thread of a task that came too late."""
        for task in list(self._tasks):
            future = self._tasks.pop(task, None)
            if future is not None:
                future.set_exception(RuntimeError("the process that decodes has stopped"))

    def _send(self, order: Order) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._write, framed(order))

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


class Wire(asyncio.Protocol):
    """Hands messages on as they become whole."""

    def __init__(self, receive: Callable[[Any], None], lost: Callable[[], None]) -> None:
        self._frames = Frames()
        self._receive = receive
        self._lost = lost

    def data_received(self, data: bytes) -> None:
        for message in self._frames.feed(data):
            self._receive(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()
