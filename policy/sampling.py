"""From logits to a drawn token, as pure tensor functions.

1. The sampled distribution is softmax(z / temperature), cut to the top_k most likely tokens, then
   to the smallest set whose probability reaches top_p, and renormalised: the order vLLM and
   transformers use.
2. A token is drawn by inverting that distribution's cumulative sum at one uniform number per row,
   so a row's draw depends on its own number alone, never on the batch around it.
3. The numbers are counter-based: `uniforms(key, step)` is a hash, with no state to carry or lose.

It knows no model, no cache and no request. Axes: B rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_WORD = 1 << 64
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


@dataclass(frozen=True)
class SamplingParams:
    """How one request's tokens are drawn. `temperature` 0 is greedy; `top_p` 1 and `top_k` 0 cut
    nothing. Bounds are the caller's to check and to explain; here they are only asserted."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        assert self.temperature >= 0, "temperature is 0 or more"
        assert 0 < self.top_p <= 1, "top_p is above 0 and at most 1"
        assert self.top_k >= 0, "top_k is 0 or more"
        assert self.max_tokens >= 1, "max_tokens is 1 or more"


@dataclass(frozen=True)
class StackedParams:
    """Several rows' parameters as tensors [B], with what none of them asks for known in advance."""

    temperature_B: Tensor  # greedy rows hold 1, so that dividing by it is harmless
    top_p_B: Tensor  # rows that cut nothing hold 2, since a rounded sum may reach 1 too early
    top_k_B: Tensor
    greedy_B: Tensor
    any_tempered: bool
    any_cut: bool
    any_greedy: bool
    all_greedy: bool


@dataclass(frozen=True)
class Draw:
    """`logps_B`: under the distribution that was drawn from (0 where greedy: there it is the only
    token). `raw_logps_B`: under softmax(z), whatever the parameters."""

    ids_B: Tensor
    logps_B: Tensor
    raw_logps_B: Tensor


def stack(params: Sequence[SamplingParams], device: torch.device) -> StackedParams:
    """Rows' parameters in order."""
    greedy = [p.temperature == 0 for p in params]

    def column(values: list[float], dtype: torch.dtype) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    return StackedParams(
        temperature_B=column([p.temperature or 1.0 for p in params], torch.float32),
        top_p_B=column([p.top_p if p.top_p < 1 else 2.0 for p in params], torch.float32),
        top_k_B=column([p.top_k or torch.iinfo(torch.int64).max for p in params], torch.int64),
        greedy_B=column(list(greedy), torch.bool),
        any_tempered=any(p.temperature not in (0, 1) for p in params),
        any_cut=any(p.top_p < 1 or p.top_k for p in params),
        any_greedy=any(greedy),
        all_greedy=all(greedy),
    )


def draw(logits_BV: Tensor, uniforms_B: Tensor, params: StackedParams) -> Draw:
    """One token per row; `uniforms_B` in [0, 1), float64."""
    logits_BV = logits_BV.float()
    raw_BV = logits_BV.log_softmax(-1)
    if params.all_greedy:
        ids_B = logits_BV.argmax(-1)
        raw_B = _at(raw_BV, ids_B)
        return Draw(ids_B, torch.zeros_like(raw_B), raw_B)
    sampled_BV = raw_BV
    if params.any_tempered:
        sampled_BV = (logits_BV / params.temperature_B[:, None]).log_softmax(-1)
    if params.any_cut:
        sampled_BV = cut(sampled_BV, params.top_p_B, params.top_k_B).log_softmax(-1)
    ids_B = invert(sampled_BV, uniforms_B)
    if params.any_greedy:
        ids_B = torch.where(params.greedy_B, logits_BV.argmax(-1), ids_B)
    logps_B = _at(sampled_BV, ids_B).masked_fill(params.greedy_B, 0.0)
    return Draw(ids_B, logps_B, _at(raw_BV, ids_B))


def cut(logps_BV: Tensor, top_p_B: Tensor, top_k_B: Tensor) -> Tensor:
    """-inf for every token outside top_k, then outside top_p of what is left. A token stays while
    the more likely ones hold less than top_p, so at least one always does."""
    sorted_BV, order_BV = logps_BV.sort(dim=-1, descending=True, stable=True)
    rank_V = torch.arange(logps_BV.shape[-1], device=logps_BV.device)
    outside_BV = rank_V >= top_k_B[:, None]
    probs_BV = sorted_BV.masked_fill(outside_BV, -torch.inf).softmax(-1)
    above_BV = probs_BV.cumsum(-1) - probs_BV
    outside_BV = outside_BV | (above_BV >= top_p_B[:, None])
    return logps_BV.masked_fill(
        torch.zeros_like(outside_BV).scatter(-1, order_BV, outside_BV), -torch.inf
    )


def invert(logps_BV: Tensor, uniforms_B: Tensor) -> Tensor:
    """The first token whose cumulative probability exceeds the row's number; summed in float64, so
    that a token of probability zero is never drawn."""
    cumulative_BV = logps_BV.exp().cumsum(-1, dtype=torch.float64)
    target_B1 = (uniforms_B * cumulative_BV[:, -1]).unsqueeze(-1)
    return torch.searchsorted(cumulative_BV, target_B1, right=True).squeeze(-1)


def row_key(seed: int, index: int) -> int:
    """The signed 64-bit key of the `index`-th row of a request with this seed."""
    return _signed(_mix(_mix(seed) + index))


def uniforms(keys_B: Tensor, steps_B: Tensor) -> Tensor:
    """The `step`-th number in [0, 1) of each key's stream, float64 [B].

    SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): a
    counter through a 64-bit finaliser. 48 bits are kept, so that times a sum they stay below it.
    """
    z_B = keys_B + (steps_B + 1) * _signed(_GOLDEN)
    z_B = (z_B ^ _shift(z_B, 30)) * _signed(_MIX_1)
    z_B = (z_B ^ _shift(z_B, 27)) * _signed(_MIX_2)
    return _shift(z_B ^ _shift(z_B, 31), 16).double() * 2.0**-48


def _at(values_BV: Tensor, ids_B: Tensor) -> Tensor:
    return values_BV.gather(-1, ids_B[:, None]).squeeze(-1)


def _shift(z_B: Tensor, bits: int) -> Tensor:
    """A logical right shift; torch's own copies the sign."""
    return (z_B >> bits) & ((1 << (64 - bits)) - 1)


def _mix(value: int) -> int:
    z = (value + _GOLDEN) % _WORD
    z = (z ^ (z >> 30)) * _MIX_1 % _WORD
    z = (z ^ (z >> 27)) * _MIX_2 % _WORD
    return z ^ (z >> 31)


def _signed(word: int) -> int:
    """A 64-bit word as torch's int64 holds it."""
    return (word + _WORD // 2) % _WORD - _WORD // 2
