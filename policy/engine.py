"""Continuous batching over a KV cache: token ids in, token ids out.

1. A request waits until `n` rows are free; requests are admitted in the order they came.
2. Its prompt, less the last token, is prefilled once and copied into its n rows. That last token is
   then each row's first input, so that every token, the first included, comes from the same step.
3. `step()` runs every row one token further. Rows join and leave between steps; a row that leaves
   is replaced by the last one, so that the batch is always slots 0..n-1.

It knows nothing of text, HTTP or SQL, and it is not thread-safe: one thread owns it. Changing the
weights while rows run would leave their cache stale. Axes: B rows, T positions, V vocabulary.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from policy.batch import Batch, Row, prefill_groups
from policy.cache import SlotCache
from policy.requests import Completion, Request, Token, TooLong, TooManyRows

__all__ = ["Completion", "Engine", "Request", "Token", "TooLong", "TooManyRows", "generate"]


class Engine:
    """Runs requests on `net`, at most `rows` answers at once and `context` positions each (the
    model's own limit if None)."""

    def __init__(self, net: PreTrainedModel, *, rows: int = 32, context: int | None = None) -> None:
        self.net = net
        self.rows = rows
        self.context = context or int(net.config.max_position_embeddings)
        self._cache = SlotCache(rows, self.context)
        self._queue: deque[_Waiting] = deque()
        self._running: list[Row] = []  # row i is in slot i
        self._batch: Batch | None = None  # the rows as tensors; None once they have changed

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._running or self._queue)

    @property
    def waiting(self) -> int:
        """Requests not yet admitted."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Rows in use."""
        return len(self._running)

    def check(self, request: Request) -> None:
        """Raises TooLong or TooManyRows if the request can never fit."""
        assert request.prompt, "a prompt has at least one token"
        assert request.n >= 1, "n is 1 or more"
        if len(request.prompt) + 1 > self.context:
            raise TooLong(self.context, len(request.prompt))
        if request.n > self.rows:
            raise TooManyRows(self.rows, request.n)

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
        self._queue = deque(waiting for waiting in self._queue if waiting.indices)
        self._leave(
            slot
            for slot, row in enumerate(self._running)
            if row.request.id == request_id and index in (None, row.index)
        )

    @torch.inference_mode()
    def step(self) -> list[Token]:
        """Admits whoever fits and runs every row one token further; at most one token a row."""
        self._admit()
        if not self._running:
            return []
        tokens = self._decode()
        for slot, token in enumerate(tokens):
            if token.finish == "fault":
                self._cache.clear(slot)
        self._leave(slot for slot, token in enumerate(tokens) if token.finish)
        return tokens

    def _admit(self) -> None:
        """Moves waiting requests into free rows and prefills their first slots."""
        first_rows: list[int] = []
        while self._queue and len(self._running) + len(self._queue[0].indices) <= self.rows:
            waiting = self._queue.popleft()
            first_rows.append(len(self._running))
            self._running += [Row(waiting.request, index) for index in waiting.indices]
        if not first_rows:
            return
        self._batch = None
        for slots in prefill_groups(self._running, first_rows):
            self._prefill(slots)
        for first, last in zip(first_rows, [*first_rows[1:], len(self._running)], strict=True):
            self._cache.copy(first, first + 1, last, self._running[first].length)

    def _prefill(self, slots: list[int]) -> None:
        """Right-padded: causal attention keeps the padding out of every real token's sight, and a
        row's own tokens overwrite its slot's padding."""
        prompts = [self._running[slot].request.prompt[:-1] for slot in slots]
        longest = max(map(len, prompts))
        if longest == 0:
            return
        padded = [prompt + (0,) * (longest - len(prompt)) for prompt in prompts]
        device = self.net.device
        ids_BT = torch.tensor(padded, device=device)
        self._cache.prefill(torch.tensor(slots, device=device))
        self.net.base_model(
            input_ids=ids_BT,
            position_ids=torch.arange(longest, device=device).expand_as(ids_BT),
            past_key_values=self._cache,
            use_cache=True,
        )

    def _decode(self) -> list[Token]:
        """One forward pass over all rows, and one draw for each."""
        batch = self._batch = self._batch or self._batched()
        longest = max(row.length for row in self._running)
        self._cache.decode(batch.lengths_B, longest)
        logits_BV = self.net(
            input_ids=batch.ids_B[:, None],
            position_ids=batch.lengths_B[:, None],
            attention_mask=batch.mask(longest, self.net.dtype),
            past_key_values=self._cache,
            use_cache=True,
        ).logits[:, -1]
        drawn = batch.draw(logits_BV)
        columns = (drawn.ids_B, drawn.logps_B, drawn.raw_logps_B)
        rows = zip(self._running, *(c.tolist() for c in columns), drawn.tops(), strict=True)
        return [row.take(*found, self.context) for row, *found in rows]

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
    Raises TooLong or TooManyRows before anything runs."""
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
