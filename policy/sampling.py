"""From logits to a drawn token, as pure tensor functions.

1. The sampled distribution is softmax(z / temperature), without the tokens less likely than min_p
   of the likeliest, cut to the top_k most likely, then to the smallest set whose probability
   reaches top_p, and renormalised: vLLM's order. `policy.shaping` may have changed z before.
2. A token is drawn by inverting that distribution's cumulative sum at one uniform number per row,
   so a row's draw depends on its own number alone, never on the batch around it.
3. The numbers are counter-based: `uniforms(key, step)` is a hash, with no state to carry or lose.

It knows no model, no cache and no request. Axes: B rows, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from policy import kernels
from policy.params import SamplingParams
from policy.requests import Top

__all__ = [
    "Draw",
    "Likely",
    "SamplingParams",
    "StackedParams",
    "cut",
    "draw",
    "invert",
    "row_key",
    "stack",
    "uniforms",
]

_WORD = 1 << 64
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


@dataclass(frozen=True)
class StackedParams:
    """Several rows' parameters as tensors [B], with what none of them asks for known in advance."""

    temperature_B: Tensor  # greedy rows hold 1, so that dividing by it is harmless
    top_p_B: Tensor  # rows that cut nothing hold 2, since a rounded sum may reach 1 too early
    top_k_B: Tensor
    min_p_B: Tensor
    greedy_B: Tensor
    any_tempered: bool
    any_cut: bool
    any_greedy: bool
    all_greedy: bool
    top: int  # the most likely tokens that any row wants to know of
    odds: int  # the same, of the distribution that is drawn from


@dataclass(frozen=True)
class Likely:
    """Each row's likeliest tokens, the likeliest first, with their log-probabilities [B, K]."""

    ids_BK: Tensor
    logps_BK: Tensor

    @classmethod
    def of(cls, logps_BV: Tensor, count: int) -> Likely:
        best = logps_BV.topk(min(count, logps_BV.shape[-1]))
        return cls(best.indices, best.values)

    def rows(self) -> list[Top]:
        """Tokens with their log-probabilities, row by row, the impossible ones left out."""
        columns = zip(self.ids_BK.tolist(), self.logps_BK.tolist(), strict=True)
        return [
            tuple(pair for pair in zip(ids, logps, strict=True) if pair[1] > -math.inf)
            for ids, logps in columns
        ]


@dataclass(frozen=True)
class Draw:
    """`logps_B`: under the distribution that was drawn from (0 where greedy: there it is the only
    token). `raw_logps_B`: under softmax(z), whatever the parameters; NaN where z holds one. `top`:
    the likeliest under softmax(z), `odds`: as they were drawn from; None if nobody asked."""

    ids_B: Tensor
    logps_B: Tensor
    raw_logps_B: Tensor
    top: Likely | None = None
    odds: Likely | None = None

    def rows(self) -> list[tuple[int, float, float, Top, Top]]:
        """Row by row: the token, its two log-probabilities, the likeliest by either."""
        columns = (self.ids_B, self.logps_B, self.raw_logps_B)
        nothing: list[Top] = [()] * len(self.ids_B)
        top = self.top.rows() if self.top else nothing
        odds = self.odds.rows() if self.odds else nothing
        return list(zip(*(c.tolist() for c in columns), top, odds, strict=True))


def stack(params: Sequence[SamplingParams], device: torch.device) -> StackedParams:
    """Rows' parameters in order."""
    greedy = [p.temperature == 0 for p in params]

    def column(values: list[float], dtype: torch.dtype) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    return StackedParams(
        temperature_B=column([p.temperature or 1.0 for p in params], torch.float32),
        top_p_B=column([p.top_p if p.top_p < 1 else 2.0 for p in params], torch.float32),
        top_k_B=column([p.top_k or torch.iinfo(torch.int64).max for p in params], torch.int64),
        min_p_B=column([p.min_p for p in params], torch.float32),
        greedy_B=column(list(greedy), torch.bool),
        any_tempered=any(p.temperature not in (0, 1) for p in params),
        any_cut=any(p.top_p < 1 or p.top_k or p.min_p for p in params),
        any_greedy=any(greedy),
        all_greedy=all(greedy),
        top=max((p.top_logprobs for p in params), default=0),
        odds=max((p.odds for p in params), default=0),
    )


def draw(
    logits_BV: Tensor,
    uniforms_B: Tensor,
    params: StackedParams,
    shaped_BV: Tensor | None = None,
) -> Draw:
    """One token per row; `uniforms_B` in [0, 1), float64. `shaped_BV`: what to draw from, where it
    is not the logits themselves."""
    plain = shaped_BV is None and not (params.any_cut or params.top or params.odds)
    if plain and kernels.fit(logits_BV):
        return _compiled(logits_BV, uniforms_B, params)
    raw_BV = logits_BV.float().log_softmax(-1)
    z_BV = logits_BV.float() if shaped_BV is None else shaped_BV
    if params.all_greedy:
        ids_B, logps_BV = z_BV.argmax(-1), raw_BV
    else:
        logps_BV = _tempered(z_BV, raw_BV if shaped_BV is None else None, params)
        ids_B = invert(logps_BV, uniforms_B)
        if params.any_greedy:
            ids_B = torch.where(params.greedy_B, z_BV.argmax(-1), ids_B)
    raw_logps_B = _at(raw_BV, ids_B)
    logps_B = raw_logps_B if logps_BV is raw_BV else _at(logps_BV, ids_B)
    return Draw(
        ids_B,
        logps_B.masked_fill(params.greedy_B, 0.0) if params.any_greedy else logps_B,
        raw_logps_B,
        top=Likely.of(raw_BV, params.top) if params.top else None,
        odds=_odds(logps_BV, ids_B, params) if params.odds else None,
    )


def _compiled(logits_BV: Tensor, uniforms_B: Tensor, params: StackedParams) -> Draw:
    """The same of logits alone, in two readings of them."""
    ids_B = torch.empty_like(uniforms_B, dtype=torch.int64)
    logps_B, raw_logps_B = logits_BV.new_empty(2, len(ids_B))
    kernels.draw(
        logits_BV.numpy(),
        uniforms_B.numpy(),
        params.temperature_B.numpy(),
        params.greedy_B.numpy(),
        ids_B.numpy(),
        logps_B.numpy(),
        raw_logps_B.numpy(),
    )
    return Draw(ids_B, logps_B, raw_logps_B)


def _tempered(z_BV: Tensor, logps_BV: Tensor | None, params: StackedParams) -> Tensor:
    """The distribution to draw from; `logps_BV` is log softmax(z) if known."""
    if params.any_tempered:
        logps_BV = (z_BV / params.temperature_B[:, None]).log_softmax(-1)
    elif logps_BV is None:
        logps_BV = z_BV.log_softmax(-1)
    return cut(logps_BV, params).log_softmax(-1) if params.any_cut else logps_BV


def _odds(logps_BV: Tensor, ids_B: Tensor, params: StackedParams) -> Likely:
    """Of the distribution that was drawn from; greedy rows had one token to draw."""
    chosen_BV = torch.full_like(logps_BV, -torch.inf).scatter(-1, ids_B[:, None], 0.0)
    return Likely.of(torch.where(params.greedy_B[:, None], chosen_BV, logps_BV), params.odds)


def cut(logps_BV: Tensor, params: StackedParams) -> Tensor:
    """-inf for every token below min_p of the likeliest, then outside top_k, then outside top_p of
    what is left. A token stays while the more likely ones hold less than top_p, so at least one
    always does."""
    least_B1 = logps_BV.amax(-1, keepdim=True) + params.min_p_B[:, None].log()
    logps_BV = logps_BV.masked_fill(logps_BV < least_B1, -torch.inf)
    sorted_BV, order_BV = logps_BV.sort(dim=-1, descending=True, stable=True)
    rank_V = torch.arange(logps_BV.shape[-1], device=logps_BV.device)
    outside_BV = rank_V >= params.top_k_B[:, None]
    probs_BV = sorted_BV.masked_fill(outside_BV, -torch.inf).softmax(-1)
    above_BV = probs_BV.cumsum(-1) - probs_BV
    outside_BV = outside_BV | (above_BV >= params.top_p_B[:, None])
    return logps_BV.masked_fill(
        torch.zeros_like(outside_BV).scatter(-1, order_BV, outside_BV), -torch.inf
    )


def invert(logps_BV: Tensor, uniforms_B: Tensor) -> Tensor:
    """The first token whose cumulative probability exceeds the row's number; summed in float64, so
    that a token of probability zero is never drawn. Where all is NaN: the last one."""
    cumulative_BV = logps_BV.exp().cumsum(-1, dtype=torch.float64)
    target_B1 = (uniforms_B * cumulative_BV[:, -1]).unsqueeze(-1)
    found_B = torch.searchsorted(cumulative_BV, target_B1, right=True).squeeze(-1)
    return found_B.clamp(max=logps_BV.shape[-1] - 1)


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
