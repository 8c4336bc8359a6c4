"""What goes into the engine and what comes out of it: values, and the refusals.

They know nothing of text, tensors, HTTP or SQL.
"""

from __future__ import annotations

from dataclasses import dataclass

from policy.params import SamplingParams

Top = tuple[tuple[int, float], ...]
"""Likeliest tokens with their log-probabilities under softmax(z), the likeliest first."""


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


@dataclass(frozen=True)
class Request:
    """`n` answers to one prompt. `stop_ids` end an answer; row `index` draws from (seed, index)."""

    id: str
    prompt: tuple[int, ...]
    params: SamplingParams
    n: int = 1
    stop_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Token:
    """One token of one answer. `logp` is as sampled (0 where greedy), `raw_logp` under softmax(z);
    `finish` is "stop" or "length" on an answer's last token, or "fault" where the model gave no
    number. A stop id is a token like others."""

    request_id: str
    index: int
    id: int
    logp: float
    raw_logp: float
    finish: str | None
    top: Top = ()


@dataclass(frozen=True)
class Completion:
    """One whole answer; its log-probabilities are those of `Token`."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    logps: tuple[float, ...]
    raw_logps: tuple[float, ...]
    finish: str
