"""One job on the fleet: from its first engine to its last piece.

1. An engine that fails before anything was written is none: the next one is asked. After that the
   answer of a stream ends with a fault, since nobody else would write the same words; where nobody
   reads before the end, it begins again.
2. Where tokens are not drawn from the model's own distribution its log-probabilities of them come
   from a second reading, when the answer is whole.
"""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import aclosing
from dataclasses import replace

from msgspec import structs

from policy.requests import Scores
from policy.vllm.client import EngineDown, NoSuchModel, Refused
from policy.vllm.wire import NO_NUMBER, Asked, Drawn, is_raw

from ..decode.jobs import Again, Fault, Job, Mailbox, Piece
from ..decode.writing import Writer
from .fleet import TRIES, Fleet, NoEngine
from .member import Member
from .placed import Placed

log = logging.getLogger(__name__)

TOGETHER = 16
"""Tokens at a time of an answer that nobody reads before it is whole."""
STOPPED = Fault("The engine that was writing this answer has stopped.", passing=True)
NOBODY = Fault("No engine can answer at the moment. Please retry shortly.", passing=True)
UNKNOWN = Fault("The model's probabilities for this answer are no numbers.")
PENALISED = Fault(
    "vLLM counts for its penalties only tokens that it drew itself, so that a single draw of a"
    " penalised answer cannot be made again."
)


class Answering:
    """A job's course. `rows`: its answers that are being written."""

    def __init__(self, job: Job, placed: Placed, fleet: Fleet, mailbox: Mailbox) -> None:
        self._job = job
        self._placed = placed
        self._fleet = fleet
        self._mailbox = mailbox
        own = frozenset[int]() if job.ignore_eos else placed.chat.stop_ids
        self._stop_ids = job.stop_ids | own
        self._is_raw = is_raw(job.params, self._stop_ids)
        self.begun = False
        self._reset()

    def _reset(self) -> None:
        detokenizer = self._placed.chat.detokenizer
        self._writers = {i: Writer(detokenizer(), self._job.stops) for i in range(self._job.n)}
        self._written: dict[int, list[Piece]] = {i: [] for i in range(self._job.n)}
        self._scores: Scores | None = None
        self._scoring: list[asyncio.Task[None]] = []

    @property
    def rows(self) -> int:
        return len(self._writers) if self.begun else 0

    async def run(self) -> None:
        """To the last piece, or a fault."""
        try:
            fault = await self._tried()
        except NoEngine as error:
            log.error("%s: nobody answers by %s: %s", self._job.id, self._placed.version, error)
            fault = NOBODY
        except Refused as error:
            log.error("%s: %s", self._job.id, error)
            fault = Fault(f"vLLM refuses this request: {_plain(error)}")
        finally:
            for task in self._scoring:
                task.cancel()
        if fault is not None:
            self._mailbox.put(fault)

    async def _tried(self) -> Fault | None:
        """Asks one engine after another; how it ended, if not well."""
        params = self._job.params
        if self._job.said and (params.presence_penalty or params.frequency_penalty):
            return PENALISED
        for _ in range(TRIES):
            member = await self._fleet.pick(self._placed)
            try:
                with member.busy():
                    return await self._drawn_by(member)
            except (EngineDown, NoSuchModel) as error:
                log.warning("%s: %s", self._job.id, error)
                self._fleet.suspect(member, error)
                if self.begun and not self._job.whole:
                    return STOPPED
                self._begin_again()
        return NOBODY

    def _begin_again(self) -> None:
        for task in self._scoring:
            task.cancel()
        if self.begun:
            self._mailbox.put(Again(self._job.first, self._job.n))
        self.begun = False
        self._reset()

    async def _drawn_by(self, member: Member) -> Fault | None:
        job, placed = self._job, self._placed
        if job.prompt_logprobs is not None:
            self._scores = await self._fleet.score(placed, job.prompt, job.prompt_logprobs)
        name = member.name_of(placed)
        if name is None:
            raise EngineDown(f"{member.engine.url} was left out meanwhile")
        async with aclosing(member.engine.draw(self._asked(name))) as stream:
            async for tokens in stream:
                for token in tokens:
                    if not self._write(token):
                        return UNKNOWN
                if not self._writers:
                    break
        await asyncio.gather(*self._scoring)
        return None

    def _asked(self, name: str) -> Asked:
        job = self._job
        max_tokens = job.params.max_tokens - len(job.said)
        return Asked(
            model=name,
            prompt=job.prompt + job.said,
            params=replace(job.params, max_tokens=max_tokens),
            n=job.n,
            stop_ids=self._stop_ids,
            share=job.share or job.id,
            together=TOGETHER if job.whole else 1,
        )

    def _write(self, token: Drawn) -> bool:
        """The token as a piece; ends its answer at a stop string. False where it has no number."""
        writer = self._writers.get(token.index)
        if writer is None:
            return True
        if not token.logp > NO_NUMBER:
            return False
        finish = token.finish
        # A stop id that the request named is an ordinary word, and ends the text before it.
        text = "" if token.id in self._job.stop_ids else writer.push(token.id)
        if finish is not None:
            text += writer.finish()
        if writer.stopped:
            finish = "stop"
        if finish is not None:
            del self._writers[token.index]
        self._send(token.index, self._piece(token, text, finish))
        return True

    def _piece(self, token: Drawn, text: str, finish: str | None) -> Piece:
        params = self._job.params
        greedy = params.temperature == 0
        odds = ((token.id, 0.0),) if greedy else token.likely
        scores, self._scores = self._scores, None
        return Piece(
            index=self._job.first + token.index,
            token=token.id,
            text=text,
            logp=0.0 if greedy else token.logp,
            raw_logp=token.logp if self._is_raw else math.nan,
            finish=finish,
            top=token.likely[: params.top_logprobs] if self._is_raw else (),
            odds=odds[: params.odds],
            scores=scores,
        )

    def _send(self, index: int, piece: Piece) -> None:
        if self._is_raw:
            self._put(piece)
            return
        pieces = self._written[index]
        pieces.append(piece)
        if piece.finish is not None:
            scoring = self._score(pieces)
            self._scoring.append(asyncio.get_running_loop().create_task(scoring))
        elif not self._job.told:
            self._put(piece)

    async def _score(self, pieces: list[Piece]) -> None:
        """Puts what was held back of an answer, with the raw log-probabilities of all of it."""
        params, count = self._job.params, len(pieces)
        tokens = (*self._job.prompt, *self._job.said, *(piece.token for piece in pieces))
        scores = await self._fleet.score(self._placed, tokens, params.top_logprobs)
        logps, tops = scores.logps[-count:], scores.tops[-count:]
        if not all(logp > NO_NUMBER for logp in logps):
            self._put(UNKNOWN)
            return
        known = [
            structs.replace(piece, raw_logp=logp, top=top)
            for piece, logp, top in zip(pieces, logps, tops, strict=True)
        ]
        if self._job.told:
            for piece in known:
                self._put(piece)
        else:
            self._put(structs.replace(known[-1], known=tuple(known)))

    def _put(self, event: Piece | Fault) -> None:
        self.begun = True
        self._mailbox.put(event)


def _plain(error: Exception) -> str:
    """Without the engine's address, which is nobody's business."""
    return str(error).partition(": ")[2]
