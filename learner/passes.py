"""What a net's passes keep and take, by a model's shape and the settings of a round.

Counted once on transformers' Llama, tensor by tensor; tests hold it to what autograd keeps.
"""

from __future__ import annotations

from dataclasses import dataclass

from learner.batching import PASS_TOKENS
from learner.device import on_cpu
from learner.settings import LearnerSettings
from learner.shape import Shape
from learner.vocabulary import BUDGET, PIECE

FLOAT = 4

ANSWERS = 4
"""To a prompt that people rank."""

COPIES = 9
"""Of all logits that figures and their gradient hold at once: both nets' logits, tempered ones,
log-probabilities, probabilities, and products of them."""

ROWS = 64
"""Of an engine (see learner.rollout)."""

GATE_ANSWER = 128
"""Tokens of a greedy answer that the gate looks at."""

GATE_COPIES = 3
"""Of all logits that such a pass holds: as they come, in float32, and as log-probabilities."""

TOKEN = 100
"""Bytes of a drawn token with its two log-probabilities, as Python's numbers in tuples."""


@dataclass(frozen=True)
class Tokens:
    """Of the rows of a pass: how many in all, and in a row; several replies share a prompt."""

    count: int
    row: int
    shared: bool


@dataclass(frozen=True)
class Pass:
    """Passes of a round over prompts of so many tokens; `again`: activations are made again."""

    shape: Shape
    settings: LearnerSettings
    again: bool
    prompt: int

    @property
    def threads(self) -> int:
        """Halves of a minibatch at once (see learner.parallel)."""
        divided = on_cpu(self.settings.device) and not self.shape.large
        return min(2, self.settings.cpu_threads) if divided else 1

    @property
    def ranked(self) -> Tokens:
        """Of a reward model's step."""
        row = self.prompt + ANSWERS * self.settings.ppo.max_tokens
        return Tokens(self.settings.reward.rankings_per_step * row, row, shared=True)

    @property
    def updated(self) -> Tokens:
        """Of the passes of a minibatch that run at once."""
        row = self._row
        most = self.threads * max(
            PASS_TOKENS["cpu" if on_cpu(self.settings.device) else "cuda"], row
        )
        shared = self.settings.ppo.replies_per_prompt > 1
        return Tokens(min(self._minibatch, most), row, shared)

    @property
    def several(self) -> bool:
        """Whether a minibatch takes more passes than run at once."""
        return self._minibatch > self.updated.count

    @property
    def _row(self) -> int:
        return self.prompt + self.settings.ppo.replies_per_prompt * self.settings.ppo.max_tokens

    @property
    def _minibatch(self) -> int:
        """Tokens of it."""
        return max(1, self._replies // self.settings.ppo.replies_per_prompt) * self._row

    @property
    def _replies(self) -> int:
        """Of a minibatch."""
        s = self.settings.ppo
        if s.minibatch_tokens is not None:
            return max(1, s.minibatch_tokens // s.max_tokens)
        return min(s.minibatch, s.prompts_per_step * s.replies_per_prompt)

    def activations(self, tokens: Tokens) -> int:
        """What autograd keeps of a pass, and the gradients of the layer that it is in."""
        s, layer = self.shape, self.layer(tokens)
        kept = s.layers * s.hidden + layer if self.again else s.layers * layer
        working = 2 * s.inner + 2 * s.hidden
        return FLOAT * tokens.count * (kept + working)

    def layer(self, tokens: Tokens) -> int:
        """Numbers that a layer keeps of a token.

        Both norms keep what they are given and what they give and, where their weights are trained,
        what these multiply; attention its queries, keys, values and what it found; the MLP four of
        its width. Where replies share a row keys and values are repeated for all heads, and each
        layer has the mask as numbers. An adapter keeps its rank, seven times.
        """
        s, lora = self.shape, self.settings.weights == "lora"
        attention = 2 * s.queries + 2 * (s.queries if tokens.shared else s.keys)
        mask = tokens.row if tokens.shared else 0
        ranks = 7 * self.settings.lora.rank if lora else 0
        return (4 if lora else 6) * s.hidden + attention + 4 * s.inner + mask + ranks

    @property
    def logits(self) -> int:
        """Of the figures of the passes that run at once."""
        s, tokens = self.settings.ppo, self.updated
        replies = tokens.count * s.replies_per_prompt * s.max_tokens // tokens.row
        return FLOAT * COPIES * self._at_once(replies)

    def _at_once(self, tokens: int) -> int:
        """Logits of so many tokens, divided among the threads, that are there together."""
        whole = tokens * self.shape.vocabulary
        return whole if whole <= self.threads * BUDGET else self.threads * PIECE

    @property
    def cache(self) -> int:
        """Keys and values of the rollouts' rows."""
        return self._cache(self._rows, self.settings.ppo.max_tokens)

    @property
    def full_cache(self) -> int:
        """The same of engines that have as many rows as they take, as for the gate's prompts."""
        longest = max(self.settings.ppo.max_tokens, GATE_ANSWER)
        return self._cache(self.threads * ROWS, longest)

    @property
    def gate_logits(self) -> int:
        """Of the passes that score the gate's replies again, at once."""
        most = PASS_TOKENS["cpu" if on_cpu(self.settings.device) else "cuda"]
        return FLOAT * GATE_COPIES * self._at_once(self.threads * most)

    @property
    def gate_replies(self) -> int:
        """What both versions said in the duel, which every check reads."""
        gate = self.settings.gate
        return 2 * gate.win_prompts * gate.win_replies * self.settings.ppo.max_tokens * TOKEN

    def _cache(self, rows: int, reply: int) -> int:
        return 2 * FLOAT * self.shape.layers * self.shape.keys * rows * (self.prompt + reply)

    @property
    def sampled_logits(self) -> int:
        """Of one token for each row, and what it takes to draw from them."""
        return 4 * FLOAT * self._rows * self.shape.vocabulary

    @property
    def _rows(self) -> int:
        s = self.settings.ppo
        return min(
            self.threads * max(ROWS, s.replies_per_prompt),
            s.prompts_per_step * s.replies_per_prompt,
        )
