"""The worker: the one thread that owns the engines and decodes.

Other threads give it orders (host a version, drop it, take a job, cancel it); it carries them out
between two decode steps, so an engine is never touched from two threads. Each resident version has
an engine of its own, with its own weights and its own cache: nothing cached by one version is ever
read by another. It knows tokens and their text; it knows no HTTP, no asyncio and no store.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from policy.chat import Chat
from policy.engine import Engine, Request, Token, TooLarge, TooLong, TooManyRows

from .jobs import Event, Fault, Job, Mailbox, Piece
from .writing import Writer

Deliver = Callable[[list[tuple[Mailbox, Event]]], None]
IDLE_S = 1.0
STOPPED = Fault("The model has stopped.", passing=True)
NO_NUMBER = Fault("The model's probabilities for this answer are no numbers.")


@dataclass(frozen=True)
class Hosted:
    """An engine and the chat format that its tokens are read by."""

    engine: Engine
    chat: Chat


class Running:
    """A job whose answers are not all there yet."""

    def __init__(self, job: Job, mailbox: Mailbox, chat: Chat) -> None:
        self.version = job.version
        self.mailbox = mailbox
        self.stop_ids = job.stop_ids
        self.first = job.first
        self.writers = {i: Writer(chat.detokenizer(), job.stops) for i in range(job.n)}


class Worker(threading.Thread):
    """Decodes for everybody. `deliver` is called on its thread, once a step, with all that the step
    wrote."""

    def __init__(self, deliver: Deliver) -> None:
        super().__init__(name="decode", daemon=True)
        self._deliver = deliver
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._hosted: dict[str, Hosted] = {}
        self._running: dict[str, Running] = {}
        self._moved_at = time.monotonic()
        self._stopping = False
        self._down = False

    # Orders, from any thread.

    def host(self, version: str, hosted: Hosted) -> None:
        """Takes over an engine; nobody else may touch it from here on."""
        self._orders.put(partial(self._hosted.__setitem__, version, hosted))

    def drop(self, version: str) -> None:
        """Lets go of a version that no request uses any more."""
        self._orders.put(partial(self._drop, version))

    def submit(self, job: Job, mailbox: Mailbox) -> None:
        self._orders.put(partial(self._begin, job, mailbox))
        if self._down:
            self._deliver([(mailbox, STOPPED)])

    def cancel(self, job_id: str) -> None:
        """Frees the rows of a job; one that is over, or unknown, is left alone."""
        self._orders.put(partial(self._cancel, job_id))

    def fail_all(self, reason: str) -> None:
        """Ends every job with a fault."""
        self._orders.put(partial(self._fail_all, reason))

    def stop(self) -> None:
        self._orders.put(self._stop)

    def give_up(self) -> None:
        """Ends every job with a fault though the thread hangs and takes no orders."""
        self._down = self._stopping = True
        self._abandon()

    # What anybody may ask.

    @property
    def jobs(self) -> int:
        """Jobs being decoded or waiting for rows."""
        return len(self._running)

    @property
    def jobs_waiting(self) -> int:
        """Jobs that have no rows yet, over all versions."""
        return sum(hosted.engine.waiting for hosted in list(self._hosted.values()))

    @property
    def jobs_running(self) -> int:
        """Jobs that have rows."""
        return max(0, self.jobs - self.jobs_waiting)

    @property
    def cache_used(self) -> float:
        """The fullest version's share of cache positions that its rows may come to need."""
        return max((hosted.engine.used for hosted in list(self._hosted.values())), default=0.0)

    @property
    def rows(self) -> int:
        """Rows being decoded, over all versions."""
        return sum(hosted.engine.running for hosted in list(self._hosted.values()))

    @property
    def crashed(self) -> bool:
        return self._down and not self._stopping

    @property
    def stalled_s(self) -> float:
        """For how long the thread has not come round; a busy one comes round at every step."""
        return time.monotonic() - self._moved_at

    # The thread.

    def run(self) -> None:
        try:
            while not self._stopping:
                self._obey()
                self._step()
                self._moved_at = time.monotonic()
        finally:
            self._down = True
            self._abandon()
            self._obey()

    def _obey(self) -> None:
        """Carries out the orders; with nothing to decode it waits for one."""
        idle = not self._running and not self._down
        while True:
            try:
                order = self._orders.get(block=idle, timeout=IDLE_S)
            except queue.Empty:
                return
            order()
            idle = False

    def _step(self) -> None:
        """One decode step of every engine that has something to do."""
        written: list[tuple[Mailbox, Event]] = []
        for hosted in self._hosted.values():
            if hosted.engine.busy:
                for token in hosted.engine.step():
                    written += self._write(hosted, token)
        if written:
            self._deliver(written)

    def _write(self, hosted: Hosted, token: Token) -> list[tuple[Mailbox, Event]]:
        """The token as a piece of text; ends its answer at a stop string."""
        running = self._running.get(token.request_id)
        writer = running.writers.get(token.index) if running else None
        if running is None or writer is None:
            return []
        if token.finish == "fault":
            self._cancel(token.request_id)
            return [(running.mailbox, NO_NUMBER)]
        finish = token.finish
        # A stop id that the request named is an ordinary word, and ends the text before it.
        text = "" if token.id in running.stop_ids else writer.push(token.id)
        if finish is not None:
            text += writer.finish()
        if writer.stopped:
            if finish is None:
                hosted.engine.cancel(token.request_id, token.index)
            finish = "stop"
        if finish is not None:
            self._end_answer(token.request_id, token.index)
        numbers = (token.logp, token.raw_logp)
        index = running.first + token.index
        likely = (token.top, token.odds)
        piece = Piece(index, token.id, text, *numbers, finish, *likely, token.scores)
        return [(running.mailbox, piece)]

    def _end_answer(self, job_id: str, index: int) -> None:
        del self._running[job_id].writers[index]
        if not self._running[job_id].writers:
            del self._running[job_id]

    def _begin(self, job: Job, mailbox: Mailbox) -> None:
        if self._down:
            self._deliver([(mailbox, STOPPED)])
            return
        hosted = self._hosted[job.version]
        stop_ids = job.stop_ids if job.ignore_eos else job.stop_ids | hosted.chat.stop_ids
        request = Request(
            id=job.id,
            prompt=job.prompt,
            params=job.params,
            n=job.n,
            stop_ids=stop_ids,
            share=job.share,
            prompt_logprobs=job.prompt_logprobs,
            said=job.said,
        )
        try:
            hosted.engine.add(request)
        except (TooLong, TooLarge, TooManyRows) as error:
            self._deliver([(mailbox, Fault(str(error)))])
            return
        self._running[job.id] = Running(job, mailbox, hosted.chat)

    def _cancel(self, job_id: str) -> None:
        running = self._running.pop(job_id, None)
        if running is not None and running.version in self._hosted:
            self._hosted[running.version].engine.cancel(job_id)

    def _fail_all(self, reason: str) -> None:
        mailboxes = [running.mailbox for running in self._running.values()]
        for job_id in list(self._running):
            self._cancel(job_id)
        if mailboxes:
            self._deliver([(mailbox, Fault(reason, passing=True)) for mailbox in mailboxes])

    def _abandon(self) -> None:
        """Tells everybody that nothing more will come, without asking anything of the engines."""
        running, self._running = self._running, {}
        if running:
            self._deliver([(job.mailbox, STOPPED) for job in running.values()])

    def _drop(self, version: str) -> None:
        assert all(running.version != version for running in self._running.values()), (
            "a version is dropped only after its last reader has left"
        )
        self._hosted.pop(version, None)

    def _stop(self) -> None:
        self._stopping = True
