"""What the process that decodes does: it owns the models, and takes orders between two steps.

Each resident version has an engine of its own, with its own weights (an adapter's over one base)
and its own cache: nothing cached by one version is ever read by another. A version is loaded and
tried on a thread beside the steps. It knows tokens and their text; it knows no HTTP and no store.
"""

from __future__ import annotations

import logging
import threading

from policy.chat import Chat
from policy.engine import Request, Token, TooLarge, TooLong, TooManyRows
from policy.source import ModelNotFound, UnsupportedModel
from policy.version_errors import StoreAway
from policy.versions import CorruptVersion, WrongModel

from ..settings import ServerSettings
from .hosting import Bases, Hosted, host
from .jobs import Event, Fault, Job, Piece
from .orders import (
    Broken,
    Cancel,
    Done,
    Drop,
    FailAll,
    Failed,
    Figures,
    Install,
    Load,
    Order,
    Room,
    Stepped,
    Stop,
    Submit,
    Task,
)
from .post import Post
from .writing import Writer

log = logging.getLogger(__name__)

IDLE_S = 1.0
# What the next try would find again, unlike too little memory or a disk that is away; at the start
# those too are for a person to mend.
LASTING = (UnsupportedModel, ModelNotFound, WrongModel, CorruptVersion, Broken)
NO_NUMBER = Fault("The model's probabilities for this answer are no numbers.")


class Running:
    """A job whose answers are not all there yet."""

    def __init__(self, job: Job, chat: Chat) -> None:
        self.version = job.version
        self.stop_ids = job.stop_ids
        self.first = job.first
        self.writers = {i: Writer(chat.detokenizer(), job.stops) for i in range(job.n)}


class Decoding:
    """Decodes for everybody, on the thread that runs it."""

    def __init__(self, post: Post, settings: ServerSettings) -> None:
        self._post = post
        self._settings = settings
        self._hosted: dict[str, Hosted] = {}
        self._bases = Bases(settings)
        self._running: dict[str, Running] = {}
        self._stopping = False

    def run(self) -> None:
        """Until it is told to stop, or nobody is there any more to tell it."""
        while not self._stopping:
            # With nothing to decode it waits for an order, and says now and then that it is well.
            for order in self._post.orders(0 if self._running else IDLE_S):
                self._obey(order)
            written = self._step()
            self._post.send(Stepped(written, self._figures()))

    def _obey(self, order: Order) -> None:
        match order:
            case Submit(job):
                self._begin(job)
            case Cancel(job_id):
                self._cancel(job_id)
            case FailAll(reason):
                self._fail_all(reason)
            case Install() | Load():
                threading.Thread(target=self._work, args=(order,), daemon=True).start()
            case Drop(version):
                self._drop(version)
            case Stop():
                self._stopping = True

    def _step(self) -> list[tuple[str, Event]]:
        """One decode step of every engine that has something to do."""
        written: list[tuple[str, Event]] = []
        for hosted in list(self._hosted.values()):
            if hosted.engine.busy:
                for token in hosted.engine.step():
                    written += self._write(hosted, token)
        return written

    def _write(self, hosted: Hosted, token: Token) -> list[tuple[str, Event]]:
        """The token as a piece of text; ends its answer at a stop string."""
        running = self._running.get(token.request_id)
        writer = running.writers.get(token.index) if running else None
        if running is None or writer is None:
            return []
        if token.finish == "fault":
            self._cancel(token.request_id)
            return [(token.request_id, NO_NUMBER)]
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
        return [(token.request_id, piece)]

    def _end_answer(self, job_id: str, index: int) -> None:
        del self._running[job_id].writers[index]
        if not self._running[job_id].writers:
            del self._running[job_id]

    def _begin(self, job: Job) -> None:
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
            self._end([job.id], Fault(str(error)))
            return
        self._running[job.id] = Running(job, hosted.chat)

    def _cancel(self, job_id: str) -> None:
        running = self._running.pop(job_id, None)
        if running is not None and running.version in self._hosted:
            self._hosted[running.version].engine.cancel(job_id)

    def _fail_all(self, reason: str) -> None:
        job_ids = list(self._running)
        for job_id in job_ids:
            self._cancel(job_id)
        self._end(job_ids, Fault(reason, passing=True))

    def _end(self, job_ids: list[str], fault: Fault) -> None:
        self._post.send(Stepped([(job_id, fault) for job_id in job_ids], self._figures()))

    def _drop(self, version: str) -> None:
        assert all(running.version != version for running in self._running.values()), (
            "a version is dropped only after its last reader has left"
        )
        self._hosted.pop(version, None)

    def _work(self, task: Task) -> None:
        """On a thread of its own."""
        try:
            match task:
                case Install(place, model):
                    self._post.send(Done(task, place.open().install_base(model).digest))
                case Load():
                    self._post.send(Done(task, self._load(task)))
                    log.info("%s is in memory", task.version)
        except LASTING as error:
            self._post.send(Failed(task, str(error), lasting=True))
        except Exception as error:
            log.exception("%s has failed", task)
            lasting = isinstance(task, Install) and not isinstance(error, StoreAway)
            self._post.send(Failed(task, str(error), lasting=lasting))

    def _load(self, task: Load) -> Room:
        """The engine is the decoding thread's from here on."""
        hosted = host(task, self._bases, self._settings)
        self._hosted[task.version] = hosted
        engine = hosted.engine
        return Room(engine.context, engine.positions, int(engine.net.config.vocab_size))

    def _figures(self) -> Figures:
        engines = [hosted.engine for hosted in list(self._hosted.values())]
        return Figures(
            rows=sum(engine.running for engine in engines),
            waiting=sum(engine.waiting for engine in engines),
            cache_used=max((engine.used for engine in engines), default=0.0),
        )
