"""One request for answers, from the pinned version to the stored record; it knows nothing of HTTP's
shapes.

`async with generation:` lends the version and takes it back, and frees the rows of answers that
nobody waits for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

from feedback.records import CandidateRecord, GenerationRecord

from ..decode.jobs import Again, Event, Fault, Job, Piece
from ..errors import ApiError, refused, too_large, too_long
from .ask import Ask, Prompt

if TYPE_CHECKING:
    from ..decode.resident import Resident
    from ..serving import Serving

log = logging.getLogger(__name__)

STOPPED = (asyncio.CancelledError, GeneratorExit)
"""What ends a request whose client has gone."""


class Mailbox:
    """What the worker has written for one request. Lives on the event loop."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._arrived = asyncio.Event()

    def put(self, event: Event) -> None:
        self._events.append(event)
        self._arrived.set()

    async def take(self) -> list[Event]:
        """Everything since the last time, at least one event."""
        await self._arrived.wait()
        self._arrived.clear()
        events, self._events = self._events, []
        return events


async def first_events(mailbox: Mailbox, wait_s: float) -> list[Event]:
    """What comes first; raises ApiError if it is too long in coming."""
    try:
        return await asyncio.wait_for(mailbox.take(), wait_s)
    except TimeoutError:
        message = f"No answer was begun within {wait_s:g} s. Please retry shortly."
        raise ApiError(503, message, code="server_overloaded", retry_after_s=5) from None


def raise_fault(fault: Fault) -> NoReturn:
    """Raises the ApiError that tells of it."""
    raise ApiError(503 if fault.passing else 500, fault.reason, code="engine_fault")


@dataclass
class Choice:
    """One answer as far as it has come."""

    index: int
    texts: list[str] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    finish: str | None = None

    def add(self, piece: Piece) -> None:
        self.texts.append(piece.text)
        self.pieces.append(piece)
        if piece.known:
            self.pieces = list(piece.known)
        self.finish = piece.finish

    @property
    def text(self) -> str:
        return "".join(self.texts)


@dataclass(frozen=True)
class Encoded:
    """A prompt as token ids, and what there is room for after it."""

    ids: tuple[int, ...]
    max_tokens: int


class Generation:
    """One request's answers in the making, all by one version. An `aside` one is nobody's request:
    it has no part in the queue and in what is measured. Of one that is `whole` nothing is shown
    before all of it is there."""

    def __init__(
        self, serving: Serving, ask: Ask, *, whole: bool = True, aside: bool = False
    ) -> None:
        self._serving = serving
        self.ask = ask
        self._whole = whole
        self._aside = aside
        self.created_at = time.time()
        self.choices = [Choice(index) for index in range(ask.n * len(ask.prompts))]
        self._unfinished = len(self.choices)
        self.prompts: list[Encoded] = []
        self._mailbox = Mailbox()
        self._resident: Resident | None = None
        self._left_over: list[Piece] = []

    async def __aenter__(self) -> Generation:
        if not self._aside:
            self._serving.admit(self.ask.person)
        try:
            self._log_prompts()
            self._resident = await self._serving.pin(self.ask.model, self._tried_on)
            await self._begin(self._resident)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    def _log_prompts(self) -> None:
        """The only line of the log that holds what people type; as JSON, so that it is one line."""
        if self._serving.settings.log.prompts and not self._aside:
            said = [prompt.said for prompt in self.ask.prompts]
            log.info("%s asks: %s", self.ask.id, json.dumps(said, ensure_ascii=False))

    @property
    def _tried_on(self) -> str | None:
        """Whose chat a canary may answer."""
        chat = self.ask.prompts[0].messages and not self._aside
        return self.ask.person if chat else None

    async def __aexit__(self, kind: type[BaseException] | None = None, *_error: object) -> None:
        if not self._aside:
            self._serving.leave(self.ask.person)
        if self._resident is not None:
            if not self.finished:
                if kind in STOPPED and self._tried_on is not None:
                    self._serving.stops.note(self._resident.id)
                for place in range(len(self.prompts)):
                    self._serving.worker.cancel(self._id(place))
            self._serving.residence.release(self._resident)
            self._resident = None

    async def _begin(self, resident: Resident) -> None:
        """Tokenises, refuses what can never fit, and queues the jobs."""
        self.version, self.digest = resident.id, resident.digest
        self._check_ids(resident.vocabulary)
        prompts = [await self._encoded(resident, prompt) for prompt in self.ask.prompts]
        self.prompts = prompts
        for place in range(len(prompts)):
            self._serving.worker.submit(self._job(place), self._mailbox)
        wait_s = self._serving.settings.server.wait_s
        self._left_over = self._taken(await first_events(self._mailbox, wait_s))
        if not self._aside:
            self._serving.metrics.first_token.observe(time.time() - self.created_at)

    async def _encoded(self, resident: Resident, prompt: Prompt) -> Encoded:
        """The prompt's ids; raises ApiError if they, or the answers to them, can never fit."""
        ids = await asyncio.to_thread(self._serving.encode, resident, prompt)
        room, asked = resident.context - len(ids), self.ask.max_tokens
        max_tokens = asked or min(self._serving.settings.server.max_tokens, room)
        if max_tokens > room or room < 1:
            raise too_long(resident.context, len(ids), max(max_tokens, 1), prompt.param)
        needed = self.ask.n * (len(ids) + max_tokens)
        if needed > resident.positions:
            raise too_large(resident.positions, needed)
        return Encoded(ids, max_tokens)

    def _job(self, place: int) -> Job:
        """The answers to one of the prompts."""
        ask, prompt = self.ask, self.prompts[place]
        return Job(
            id=self._id(place),
            version=self.version,
            prompt=prompt.ids,
            n=ask.n,
            params=replace(ask.sampling, max_tokens=prompt.max_tokens),
            stops=ask.stops,
            stop_ids=ask.stop_ids,
            ignore_eos=ask.ignore_eos,
            first=place * ask.n,
            share=ask.person,
            prompt_logprobs=ask.prompt_logprobs,
            told=ask.told,
            whole=self._whole,
        )

    def _id(self, place: int) -> str:
        """The first prompt's is the request's own; each is a generation on record."""
        return f"{self.ask.id}.{place}" if place else self.ask.id

    def _check_ids(self, vocabulary: int) -> None:
        """Raises ApiError for a token that this version does not have."""
        given = [
            *(("logit_bias", id) for id, _ in self.ask.sampling.logit_bias),
            *(("stop_token_ids", id) for id in self.ask.stop_ids),
            *(("prompt", id) for prompt in self.ask.prompts for id in prompt.ids or ()),
        ]
        for param, id in given:
            if not 0 <= id < vocabulary:
                raise refused(param, id, f"is no token of this model's {vocabulary}")

    async def pieces(self) -> AsyncIterator[list[Piece]]:
        """What was written, as it comes, to the last piece of the last answer. Raises ApiError on a
        fault."""
        yield self._left_over
        while not self.finished:
            yield self._taken(await self._mailbox.take())

    def _taken(self, events: list[Event]) -> list[Piece]:
        pieces = []
        for event in events:
            if isinstance(event, Fault):
                raise_fault(event)
            if isinstance(event, Again):
                self._forget(event)
                continue
            self.choices[event.index].add(event)
            self._unfinished -= event.finish is not None
            pieces.append(event)
        return pieces

    def _forget(self, again: Again) -> None:
        for index in range(again.first, again.first + again.n):
            self._unfinished += self.choices[index].finish is not None
            self.choices[index] = Choice(index)

    async def store(self) -> None:
        """Keeps the answers, before anybody is told that they are complete."""
        for place in range(len(self.prompts)):
            await self._serving.record(self._record(place))
        if not self._aside:
            self._serving.metrics.answered(self)

    @property
    def finished(self) -> bool:
        return not self._unfinished

    @property
    def prompt_tokens(self) -> int:
        return sum(len(prompt.ids) for prompt in self.prompts)

    @property
    def completion_tokens(self) -> int:
        return sum(len(choice.pieces) for choice in self.choices)

    @property
    def candidate_ids(self) -> list[str]:
        return [f"{self.ask.id}-{choice.index}" for choice in self.choices]

    def prompt_of(self, index: int) -> tuple[Prompt, tuple[int, ...]]:
        """What the choice answers, as it came and as token ids."""
        place = index // self.ask.n
        return self.ask.prompts[place], self.prompts[place].ids

    def text(self, *tokens: int) -> str:
        """Tokens by themselves."""
        assert self._resident is not None, "tokens are read while the version is pinned"
        return self._resident.text(tokens)

    def is_stop(self, token: int) -> bool:
        """Whether the token ends a turn, and so is no part of the text."""
        assert self._resident is not None, "tokens are read while the version is pinned"
        return token in self._resident.stop_ids

    def _record(self, place: int) -> GenerationRecord:
        assert self._resident is not None, "a generation is stored while its version is pinned"
        ask, prompt = self.ask, self.prompts[place]
        choices = self.choices[place * ask.n : (place + 1) * ask.n]
        return GenerationRecord(
            id=self._id(place),
            conversation_id=ask.conversation_id,
            person=ask.person,
            consented=ask.consented,
            listed=ask.listed,
            version=self.version,
            digest=self.digest,
            messages=self._asked(place),
            prompt_ids=prompt.ids,
            params={**ask.params, "max_tokens": prompt.max_tokens},
            seed=ask.sampling.seed,
            template_hash=self._resident.template_hash,
            candidates=tuple(self._candidate(choice) for choice in choices),
            created_at=self.created_at,
        )

    def _asked(self, place: int) -> tuple[tuple[str, str], ...]:
        """The messages, or the text that no template was applied to."""
        prompt = self.ask.prompts[place]
        if prompt.messages:
            return prompt.messages
        text = prompt.text
        return (("text", self.text(*self.prompts[place].ids) if text is None else text),)

    def _candidate(self, choice: Choice) -> CandidateRecord:
        assert choice.finish is not None, "only whole answers are stored"
        return CandidateRecord(
            id=self.candidate_ids[choice.index],
            index=choice.index % self.ask.n,
            text=choice.text,
            token_ids=tuple(piece.token for piece in choice.pieces),
            logps=tuple(piece.logp for piece in choice.pieces),
            raw_logps=tuple(piece.raw_logp for piece in choice.pieces),
            finish_reason=choice.finish,
        )
