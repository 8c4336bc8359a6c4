"""How one request's tokens are drawn: plain values, no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplingParams:
    """What a request asks of the sampler. Every default leaves the distribution as it is.

    `temperature` 0 is greedy; `top_p` 1, `top_k` 0 and `min_p` 0 cut nothing. `presence_penalty`
    and `frequency_penalty` count the answer's own tokens, `repetition_penalty` the prompt's too.
    `logit_bias` adds to single tokens' logits. No answer ends at a stop id before `min_tokens`.
    `top_logprobs`: how many of the likeliest tokens come with each token, as the model has them;
    `odds`: how many as they are drawn from, after all of the above. Bounds are the caller's
    to check and to explain; here they are only asserted.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    min_tokens: int = 0
    max_tokens: int = 256
    top_logprobs: int = 0
    odds: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        assert self.temperature >= 0, "temperature is 0 or more"
        assert 0 < self.top_p <= 1, "top_p is above 0 and at most 1"
        assert self.top_k >= 0, "top_k is 0 or more"
        assert 0 <= self.min_p <= 1, "min_p is between 0 and 1"
        assert self.repetition_penalty > 0, "repetition_penalty is above 0"
        assert self.max_tokens >= 1, "max_tokens is 1 or more"

    @property
    def penalises(self) -> bool:
        """Whether what was said before changes what is likely."""
        return (
            self.presence_penalty != 0
            or self.frequency_penalty != 0
            or self.repetition_penalty != 1
        )

    @property
    def shapes(self) -> bool:
        """Whether the logits are changed before anything is drawn."""
        return self.penalises or bool(self.logit_bias) or self.min_tokens > 0
