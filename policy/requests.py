"""What goes into the engine and what comes out of it: values, and the refusals.

They know nothing of text, tensors, HTTP or SQL.
"""

from __future__ import annotations

from dataclasses import dataclass

from policy.params import SamplingParams

Top = tuple[tuple[int, float], ...]
"""Likeliest tokens with their log-probabilities, the likeliest first."""


class TooLong(ValueError):
    """A prompt that leaves no room for one token of an answer."""

    def __init__(self, context: int, tokens: int) -> None:
        # Clients such as litellm recognise an overflow by OpenAI's sentence alone.
        super().__init__(
            f"This model's maximum context length is {context} tokens. However, your messages "
            f"resulted in {tokens} tokens. Please reduce the length of the messages."
        )
        self.context = context
        self.tokens = tokens


class TooManyRows(ValueError):
    """A request for more answers at once than the engine has rows."""

    def __init__(self, rows: int, n: int) -> None:
        super().__init__(f"This engine answers at most {rows} times at once, and n is {n}.")
        self.rows = rows
        self.n = n


class TooLarge(ValueError):
    """A request for more positions of the KV cache than there are."""

    def __init__(self, positions: int, n: int, needed: int) -> None:
        super().__init__(
            f"This request may need {n * needed} tokens of attention cache ({n} x {needed}) and "
            f"this server has {positions}. Please ask for fewer answers or for fewer tokens."
        )
        self.positions = positions
        self.needed = n * needed


@dataclass(frozen=True)
class Request:
    """`n` answers to one prompt. `stop_ids` end an answer; row `index` draws from (seed, index).

    `said`: tokens that each answer begins with, as if they had been drawn. Prompts of the same
    `share` may reuse what was computed for a beginning that they have in common.
    `prompt_logprobs`: also score the prompt, with so many likeliest tokens.
    """

    id: str
    prompt: tuple[int, ...]
    params: SamplingParams
    n: int = 1
    stop_ids: frozenset[int] = frozenset()
    share: str | None = None
    prompt_logprobs: int | None = None
    said: tuple[int, ...] = ()

    @property
    def known(self) -> tuple[int, ...]:
        """The prompt and what is said already: all tokens that come before the first new one."""
        return self.prompt + self.said

    def longest(self, context: int) -> int:
        """The most positions that one of its answers can come to hold."""
        return min(len(self.prompt) + self.params.max_tokens, context)


@dataclass(frozen=True)
class Scores:
    """The log-probabilities of a prompt's tokens under softmax(z), the first token's left out:
    nothing precedes it. `tops`: the likeliest tokens in each one's place."""

    logps: tuple[float, ...]
    tops: tuple[Top, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """One token of one answer. `logp` is as sampled (0 where greedy), `raw_logp` under softmax(z);
    `finish` is "stop" or "length" on an answer's last token, or "fault" where the model gave no
    number. A stop id is a token like others. `top`: the likeliest under softmax(z); `odds`: under
    the distribution that it was drawn from. `scores`: the prompt's, on its first answer's first
    token, if the request asked for them."""

    request_id: str
    index: int
    id: int
    logp: float
    raw_logp: float
    finish: str | None
    top: Top = ()
    odds: Top = ()
    scores: Scores | None = None


@dataclass(frozen=True)
class Completion:
    """One whole answer; its log-probabilities are those of `Token`."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    logps: tuple[float, ...]
    raw_logps: tuple[float, ...]
    finish: str
