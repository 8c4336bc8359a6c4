"""Continuous batching over a KV cache: token ids in, token ids out.

1. A request waits until its `n` rows and their positions are free; requests are admitted in the
   order they came.
2. Its prompt, less the last token, is prefilled once and copied into its n rows. That last token is
   then each row's first input, so that every token, the first included, comes from the same step.
   A prompt of more than `prefill` tokens goes through in parts, between or beside the others' next
   tokens; what was kept of a prompt that begins alike is not computed again.
3. `step()` runs every row one token further. Rows join and leave between steps; a row that leaves
   is replaced by the last one, so that the batch is always slots 0..n-1.

It knows nothing of text, HTTP or SQL, and it is not thread-safe: one thread owns it. Changing the
weights while rows run would leave their cache stale. Axes: B rows, T positions, V vocabulary.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import torch
from transformers import PreTrainedModel

from policy.batch import Batch, Row, prefill_groups
from policy.cache import SlotCache
from policy.decoders import decoder
from policy.filling import Filling
from policy.prefix import LEAST, Prefixes
from policy.requests import Completion, Request, Scores, Token, TooLarge, TooLong, TooManyRows

__all__ = [
    "Completion",
    "Engine",
    "Request",
    "Scores",
    "Token",
    "TooLarge",
    "TooLong",
    "TooManyRows",
    "generate",
]


class Engine:
    """Runs requests on `net`, at most `rows` answers at once and `context` positions each (the
    model's own limit if None), `positions` in all (enough for all rows if None). `keep`: positions
    of finished rows that are kept for requests that may share them. Where `net` needs no gradient
    its weights may be laid out to decode quicker, and it can be neither trained nor saved."""

    def __init__(
        self,
        net: PreTrainedModel,
        *,
        rows: int = 32,
        context: int | None = None,
        positions: int | None = None,
        keep: int = 0,
        prefill: int = 256,
    ) -> None:
        self.net = net
        self.rows = rows
        self.context = context or int(net.config.max_position_embeddings)
        self.positions = min(positions or rows * self.context, rows * self.context)
        self.prefill = prefill
        self._cache = SlotCache(self.positions, self.context)
        self._prefixes = Prefixes(keep)
        self._queue: deque[_Waiting] = deque()
        self._filling: deque[Filling] = deque()  # admitted, their prompts on the way
        self._running: list[Row] = []  # row i is in slot i
        self._batch: Batch | None = None  # the rows as tensors; None once they have changed
        self._decoder = decoder(net, self._cache)

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._running or self._filling or self._queue)

    @property
    def waiting(self) -> int:
        """Requests not yet admitted."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Rows in use."""
        # As tuples, which are made in one go: another thread may ask while this one decodes.
        return len(self._running) + sum(len(filling.indices) for filling in tuple(self._filling))

    @property
    def used(self) -> float:
        """The share of the cache's positions that the rows may come to need."""
        return self.running * self._longest() / self.positions

    def check(self, request: Request) -> None:
        """Raises TooLong, TooManyRows or TooLarge if the request can never fit."""
        assert request.prompt, "a prompt has at least one token"
        assert request.n >= 1, "n is 1 or more"
        if len(request.known) + 1 > self.context:
            raise TooLong(self.context, len(request.known))
        if request.n > self.rows:
            raise TooManyRows(self.rows, request.n)
        needed = request.longest(self.context)
        if request.n * needed > self.positions:
            raise TooLarge(self.positions, request.n, needed)

    def add(self, request: Request) -> None:
        """Queues a request under an id that no other one has. Raises as `check` does."""
        self.check(request)
        self._queue.append(_Waiting(request, list(range(request.n))))

    @torch.inference_mode()
    def cancel(self, request_id: str, index: int | None = None) -> None:
        """Drops a request's answers, or one of them; what is unknown or finished stays so."""
        for waiting in self._queue:
            if waiting.request.id == request_id:
                waiting.indices = [i for i in waiting.indices if index not in (None, i)]
        for filling in self._filling:
            if filling.request.id == request_id:
                filling.indices = [i for i in filling.indices if index not in (None, i)]
        self._queue = deque(waiting for waiting in self._queue if waiting.indices)
        self._filling = deque(filling for filling in self._filling if filling.indices)
        self._leave(
            slot
            for slot, row in enumerate(self._running)
            if row.request.id == request_id and index in (None, row.index)
        )

    @torch.inference_mode()
    def step(self) -> list[Token]:
        """Admits whoever fits and runs every row one token further; at most one token a row."""
        self._admit()
        self._fill()
        if not self._running:
            return []
        tokens = self._decode()
        for slot, token in enumerate(tokens):
            if token.finish == "fault":
                self._cache.clear(slot)
            elif token.finish:
                self._keep(slot)
        self._leave(slot for slot, token in enumerate(tokens) if token.finish)
        return tokens

    def _admit(self) -> None:
        """Gives waiting requests their rows: prompts that go through at once, about `prefill`
        tokens of them a step, start now; the others begin to fill."""
        if not self.running:
            self._cache.reset()
            self._decoder.begin()
        first_rows: list[int] = []
        left, held = self.prefill, len(self._running)
        while self._queue and left > 0 and self._can_admit(self._queue[0]):
            waiting = self._queue.popleft()
            request = waiting.request
            known = request.known
            begun = self._prefixes.find(request.share, known[:-1]) if request.share else ()
            if begun or request.prompt_logprobs is not None or len(known) > self.prefill:
                self._filling.append(Filling(request, waiting.indices, begun))
                continue
            left -= len(known)
            first_rows.append(len(self._running))
            self._running += [Row(request, index) for index in waiting.indices]
        if first_rows:
            self._start(first_rows, held)

    def _can_admit(self, waiting: _Waiting) -> bool:
        """Whether there are rows for all of its answers, and positions for all rows to the end."""
        rows = self.running + len(waiting.indices)
        longest = max(self._longest(), waiting.request.longest(self.context))
        return rows <= self.rows and rows * longest <= self.positions

    def _longest(self) -> int:
        """The most positions that any row can come to hold."""
        requests = [row.request for row in tuple(self._running)]
        requests += [filling.request for filling in tuple(self._filling)]
        return max((request.longest(self.context) for request in requests), default=0)

    def _start(self, first_rows: list[int], held: int) -> None:
        """Prefills new rows' prompts, each once, and copies them to the rows that share them."""
        self._batch = None
        longest = max(row.length for row in self._running)
        self._cache.fit(longest + 1, len(self._running), held)
        for slots in prefill_groups(self._running, first_rows):
            self._prefill(slots)
        for first, last in zip(first_rows, [*first_rows[1:], len(self._running)], strict=True):
            self._cache.copy(first, first + 1, last, self._running[first].length)

    def _fill(self) -> None:
        """About `prefill` tokens more of the prompts that are on their way, the longest waiting
        first; finished ones' rows start."""
        left = self.prefill
        while self._filling and left > 0:
            filling = self._filling[0]
            if not filling.finished:
                left -= filling.advance(self._decoder, left)
            if filling.finished:
                self._filling.popleft()
                self._join(filling)

    def _join(self, filling: Filling) -> None:
        """A filled prompt's rows take their slots."""
        self._batch = None
        slot, kept = len(self._running), filling.kept
        self._running += [Row(filling.request, index) for index in filling.indices]
        self._running[slot].scores = filling.scores
        self._cache.fit(len(filling.request.known), len(self._running), slot)
        self._cache.load(slot, kept)
        self._cache.copy(slot, slot + 1, len(self._running), self._running[slot].length)

    def _keep(self, slot: int) -> None:
        """Keeps what a finished row computed, for a next turn that may share it."""
        row = self._running[slot]
        if row.request.share and LEAST <= row.length <= self._prefixes.positions:
            kept = self._cache.keep(slot, row.length)
            self._prefixes.keep(row.request.share, row.cached, kept)

    def _prefill(self, slots: list[int]) -> None:
        """Right-padded: causal attention keeps the padding out of every real token's sight, and a
        row's own tokens overwrite its slot's padding."""
        prompts = [self._running[slot].request.known[:-1] for slot in slots]
        longest = max(map(len, prompts))
        if longest == 0:
            return
        padded = [prompt + (0,) * (longest - len(prompt)) for prompt in prompts]
        device = self.net.device
        ids_BT = torch.tensor(padded, device=device)
        self._cache.prefill(torch.tensor(slots, device=device))
        self._decoder.prefill(ids_BT)

    def _decode(self) -> list[Token]:
        """One forward pass over all rows, and one draw for each."""
        batch = self._batch = self._batch or self._batched()
        longest = max(row.length for row in self._running)
        self._cache.fit(longest + 1, len(self._running), len(self._running))
        self._cache.decode(batch.lengths_B, longest)
        mask = partial(batch.mask, longest, self.net.dtype)
        drawn = batch.draw(self._decoder.decode(batch.ids_B, batch.lengths_B, mask))
        rows = zip(self._running, drawn.rows(), strict=True)
        return [row.take(*found, context=self.context) for row, found in rows]

    def _batched(self) -> Batch:
        return Batch.of(self._running, int(self.net.config.vocab_size), self.net.device)

    def _leave(self, slots: Iterable[int]) -> None:
        """Frees these slots; from the highest down, the last row moves into each."""
        for slot in sorted(slots, reverse=True):
            last = len(self._running) - 1
            if slot < last:
                self._cache.copy(last, slot, slot + 1, self._running[last].length)
                self._running[slot] = self._running[last]
            self._running.pop()
            self._batch = None


def generate(engine: Engine, requests: Iterable[Request]) -> dict[str, list[Completion]]:
    """Runs requests to their end on an idle engine; completions by request id, in index order.
    Raises TooLong, TooManyRows or TooLarge before anything runs."""
    assert not engine.busy, "generate() reads every token, so the engine must be its own"
    by_id: dict[str, Request] = {}
    for request in requests:
        assert request.id not in by_id, "request ids differ"
        engine.check(request)  # all of them first: a refusal leaves nothing queued
        by_id[request.id] = request
    for request in by_id.values():
        engine.add(request)
    answers: dict[str, list[list[Token]]] = {
        request.id: [[] for _ in range(request.n)] for request in by_id.values()
    }
    while engine.busy:
        for token in engine.step():
            answers[token.request_id][token.index].append(token)
    return {
        id: [_completion(by_id[id].prompt, tokens) for tokens in rows]
        for id, rows in answers.items()
    }


@dataclass
class _Waiting:
    """A queued request and the answers of it that are still wanted."""

    request: Request
    indices: list[int]


def _completion(prompt: tuple[int, ...], tokens: list[Token]) -> Completion:
    finish = tokens[-1].finish
    assert finish is not None, "an answer's last token says how it ended"
    return Completion(
        prompt=prompt,
        tokens=tuple(token.id for token in tokens),
        logps=tuple(token.logp for token in tokens),
        raw_logps=tuple(token.raw_logp for token in tokens),
        finish=finish,
    )
