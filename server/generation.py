"""One request for answers, from the pinned version to the stored record; it knows nothing of HTTP's
shapes.

`async with generation:` lends the version and takes it back, and frees the rows of answers that
nobody waits for.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from feedback.records import CandidateRecord, GenerationRecord
from policy.params import SamplingParams

from .errors import ApiError, refused, too_long
from .jobs import Event, Fault, Job, Piece

if TYPE_CHECKING:
    from .resident import Resident
    from .serving import Serving


@dataclass(frozen=True)
class Ask:
    """What a person asked for, every default filled in but the bound on the answer's tokens, which
    `sampling` leaves open: it is `max_tokens`, or what there is room for."""

    id: str
    model: str
    messages: tuple[tuple[str, str], ...]
    n: int
    max_tokens: int | None
    sampling: SamplingParams
    stops: tuple[str, ...]
    stop_ids: frozenset[int]
    ignore_eos: bool
    person: str
    consented: bool
    conversation_id: str

    @property
    def params(self) -> dict[str, Any]:
        """The sampling parameters but the seed, as they are kept with the record."""
        sampling = asdict(self.sampling)
        del sampling["seed"]
        return {
            "n": self.n,
            **sampling,
            "max_tokens": self.max_tokens,
            "stop": list(self.stops),
            "stop_token_ids": sorted(self.stop_ids),
            "ignore_eos": self.ignore_eos,
        }


def derived_conversation(person: str, messages: tuple[tuple[str, str], ...]) -> str:
    """One id for all turns of a conversation: from the person, the system's words and the person's
    first."""
    system = next((content for role, content in messages if role == "system"), "")
    first = next((content for role, content in messages if role == "user"), "")
    digest = hashlib.sha256("\x00".join((person, system, first)).encode())
    return f"conv-{digest.hexdigest()[:24]}"


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
        self.finish = piece.finish

    @property
    def text(self) -> str:
        return "".join(self.texts)


class Generation:
    """One request's answers in the making, all by one version."""

    def __init__(self, serving: Serving, ask: Ask) -> None:
        self._serving = serving
        self.ask = ask
        self.created_at = time.time()
        self.choices = [Choice(index) for index in range(ask.n)]
        self.prompt: tuple[int, ...] = ()
        self.max_tokens = 0
        self._mailbox = Mailbox()
        self._resident: Resident | None = None
        self._left_over: list[Piece] = []

    async def __aenter__(self) -> Generation:
        self._serving.admit()
        self._serving.in_flight += 1
        try:
            self._resident = await self._serving.pin(self.ask.model)
            await self._begin(self._resident)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._serving.in_flight -= 1
        if self._resident is not None:
            if not self.finished:
                self._serving.worker.cancel(self.ask.id)
            self._serving.residence.release(self._resident)
            self._resident = None

    async def _begin(self, resident: Resident) -> None:
        """Tokenises, refuses what can never fit, and queues the job."""
        ask = self.ask
        self.version, self.digest = resident.id, resident.digest
        self.prompt = await asyncio.to_thread(self._serving.encode, resident, ask.messages)
        room = resident.context - len(self.prompt)
        self.max_tokens = ask.max_tokens or min(self._serving.settings.server.max_tokens, room)
        if self.max_tokens > room or room < 1:
            raise too_long(resident.context, len(self.prompt), max(self.max_tokens, 1))
        self._check_ids(resident.vocabulary)
        self._serving.worker.submit(
            Job(
                id=ask.id,
                version=resident.id,
                prompt=self.prompt,
                n=ask.n,
                params=replace(ask.sampling, max_tokens=self.max_tokens),
                stops=ask.stops,
                stop_ids=ask.stop_ids,
                ignore_eos=ask.ignore_eos,
            ),
            self._mailbox,
        )
        self._left_over = await self._take()

    def _check_ids(self, vocabulary: int) -> None:
        """Raises ApiError for a token that this version does not have."""
        for id, _ in self.ask.sampling.logit_bias:
            if not 0 <= id < vocabulary:
                raise refused("logit_bias", id, f"is no token of this model's {vocabulary}")
        for id in self.ask.stop_ids:
            if not 0 <= id < vocabulary:
                raise refused("stop_token_ids", id, f"is no token of this model's {vocabulary}")

    async def pieces(self) -> AsyncIterator[list[Piece]]:
        """What was written, as it comes, to the last piece of the last answer. Raises ApiError on a
        fault."""
        yield self._left_over
        while not self.finished:
            yield await self._take()

    async def _take(self) -> list[Piece]:
        pieces = []
        for event in await self._mailbox.take():
            if isinstance(event, Fault):
                raise ApiError(503 if event.passing else 500, event.reason, code="engine_fault")
            self.choices[event.index].add(event)
            pieces.append(event)
        return pieces

    async def store(self) -> None:
        """Keeps the answers, before anybody is told that they are complete."""
        await self._serving.record(self.record)

    @property
    def finished(self) -> bool:
        return all(choice.finish is not None for choice in self.choices)

    @property
    def completion_tokens(self) -> int:
        return sum(len(choice.pieces) for choice in self.choices)

    @property
    def candidate_ids(self) -> list[str]:
        return [f"{self.ask.id}-{choice.index}" for choice in self.choices]

    def token_text(self, token: int) -> str:
        assert self._resident is not None, "tokens are read while the version is pinned"
        return self._resident.text(token)

    def is_stop(self, token: int) -> bool:
        """Whether the token ends a turn, and so is no part of the text."""
        assert self._resident is not None, "tokens are read while the version is pinned"
        return token in self._resident.stop_ids

    @property
    def record(self) -> GenerationRecord:
        assert self._resident is not None, "a generation is stored while its version is pinned"
        return GenerationRecord(
            id=self.ask.id,
            conversation_id=self.ask.conversation_id,
            person=self.ask.person,
            consented=self.ask.consented,
            version=self.version,
            digest=self.digest,
            messages=self.ask.messages,
            prompt_ids=self.prompt,
            params={**self.ask.params, "max_tokens": self.max_tokens},
            seed=self.ask.sampling.seed,
            template_hash=self._resident.template_hash,
            candidates=tuple(map(self._candidate, self.choices, self.candidate_ids)),
            created_at=self.created_at,
        )

    @staticmethod
    def _candidate(choice: Choice, id: str) -> CandidateRecord:
        assert choice.finish is not None, "only whole answers are stored"
        return CandidateRecord(
            id=id,
            index=choice.index,
            text=choice.text,
            token_ids=tuple(piece.token for piece in choice.pieces),
            logps=tuple(piece.logp for piece in choice.pieces),
            raw_logps=tuple(piece.raw_logp for piece in choice.pieces),
            finish_reason=choice.finish,
        )
