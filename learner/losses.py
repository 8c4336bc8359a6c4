"""The learner's maths: tensors in, losses and metrics out. No device moves, no logging, no I/O.

Axes: B rows (one reply each), T tokens, V vocabulary, K answers to one prompt.
Masks hold 0 or 1, 1 where a value counts. What stands under a 0 may be anything, NaN included; it
is never read. The dtype that comes in goes out.

Sources: Schulman et al. 2016 (GAE, 1506.02438) and 2017 (PPO, 1707.06347); Ziegler et al. 2019
(adaptive KL, 1909.08593); Ye et al. 2020 (dual clip, 1912.09729); Ouyang et al. 2022 (K-way
ranking, 2203.02155); Schulman 2020 (k1, k2, k3: joschu.net/blog/kl-approx.html); Plackett 1975 and
Xia et al. 2008 (ListMLE); Breslow 1974 (ties); Touvron et al. 2023 (margins, 2307.09288); Ahmadian
et al. 2024 (leave-one-out, 2402.14740).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

KLKind = Literal["k1", "k2", "k3"]


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of `x` where `mask` is 1, a scalar; 0 for an empty mask."""
    return _kept(x, mask).sum() / mask.sum().clamp(min=1).to(x.dtype)


def whiten(x: Tensor, mask: Tensor, shift_mean: bool = True) -> Tensor:
    """Scale `x` to unit (unbiased) variance over the mask, to mean 0 unless `shift_mean` is off.

    Masked positions come out 0, and so does everything where fewer than two values count.
    """
    count = mask.sum()
    if count < 2:
        return torch.zeros_like(x)
    mean = masked_mean(x, mask)
    centred = _kept(x - mean, mask)
    variance = centred.square().sum() / (count - 1).to(x.dtype)
    white = centred * torch.rsqrt(variance + 1e-8)
    return white if shift_mean else _kept(white + mean, mask)


def gae(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation over (B, T): advantages and returns, 0 where masked.

    delta_t = r_t + gamma V_{t+1} - V_t;  A_t = delta_t + gamma lam A_{t+1};  R_t = A_t + V_t,
    where t+1 is the next position that counts: holes (a tool's output, padding) are stepped over.
    """
    rewards, values = _kept(rewards, mask), _kept(values, mask)
    next_value = torch.zeros_like(values[:, 0])
    next_advantage = torch.zeros_like(next_value)
    advantages = torch.zeros_like(values)
    for t in reversed(range(values.shape[1])):
        here = mask[:, t].bool()
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantage = delta + gamma * lam * next_advantage
        advantages[:, t] = torch.where(here, advantage, 0.0)
        next_advantage = torch.where(here, advantage, next_advantage)
        next_value = torch.where(here, values[:, t], next_value)
    return advantages, advantages + values


def rloo_advantages(rewards_BK: Tensor) -> Tensor:
    """Each reward less the mean of the prompt's other K - 1: (B, K) gives (B, K), K at least 2.

    A_k = R_k - (sum_j R_j - R_k) / (K - 1); a prompt's add up to 0. What a reply is held to does
    not depend on it, so the gradient is not biased (Ahmadian et al. 2024).
    """
    answers = rewards_BK.shape[1]
    assert answers > 1, "a reply is compared with others to its prompt"
    others_BK = (rewards_BK.sum(1, keepdim=True) - rewards_BK) / (answers - 1)
    return rewards_BK - others_BK


def kl_estimate(logps: Tensor, ref_logps: Tensor, kind: KLKind) -> Tensor:
    """Per-token estimate of KL(policy || reference) at sampled tokens, unclamped, same shape.

    k1 = log p - log q (unbiased, may be negative); k2 = k1^2 / 2; k3 = q/p - 1 + k1 (>= 0).
    """
    k1 = logps - ref_logps
    match kind:
        case "k1":
            return k1
        case "k2":
            return 0.5 * k1.square()
        case "k3":
            return torch.expm1(-k1) + k1
    raise ValueError(f"kind must be 'k1', 'k2' or 'k3', not {kind!r}")


def policy_loss(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    clip: float,
    dual_clip: float | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """PPO's clipped surrogate, to be minimised: masked mean of max(-rA, -clip(r, 1±clip) A).

    With `dual_clip` c > 1, a token of negative advantage costs at most -cA however large its ratio.
    Metrics: "clip_fraction" (masked tokens where the clipped term is the one that counts),
    "approx_kl" (masked mean of old - new), "ratio_max".
    """
    log_ratio = _kept(logps - old_logps, mask)
    advantages = _kept(advantages, mask)
    ratio = log_ratio.exp()
    plain = -advantages * ratio
    clipped = -advantages * ratio.clamp(1 - clip, 1 + clip)
    losses = torch.maximum(plain, clipped)
    if dual_clip is not None:
        bounded = torch.minimum(losses, -advantages * dual_clip)
        losses = torch.where(advantages < 0, bounded, losses)
    metrics = {
        "clip_fraction": masked_mean((clipped > plain).to(logps.dtype), mask).item(),
        "approx_kl": masked_mean(-log_ratio.detach(), mask).item(),
        "ratio_max": _kept(ratio.detach(), mask).max().item() if ratio.numel() else 0.0,
    }
    return masked_mean(losses, mask), metrics


def value_loss(
    values: Tensor,
    old_values: Tensor,
    returns: Tensor,
    mask: Tensor,
    clip: float | None = None,
) -> Tensor:
    """Half the masked mean of (V - R)^2; with `clip`, of the larger of that and V's clipped square.

    V is clipped to old_values ± clip, so that one minibatch cannot drag the critic far.
    """
    values, old_values, returns = (_kept(x, mask) for x in (values, old_values, returns))
    squares = (values - returns).square()
    if clip is not None:
        clipped = old_values + (values - old_values).clamp(-clip, clip)
        squares = torch.maximum(squares, (clipped - returns).square())
    return 0.5 * masked_mean(squares, mask)


def ranking_loss(
    scores: Tensor,
    ranks: Tensor | Sequence[float],
    margin: float | Tensor | None = None,
    center: float = 0.0,
) -> Tensor:
    """Mean over all C(K,2) pairs of one prompt's answers of -log sigmoid(better - worse - margin).

    `scores` (K,); `ranks` (K,), 1 is best, equal is a tie: a tie counts half in each direction,
    without margin. `margin` is a number or a (K, K) tensor, [i, j] for i better than j. `center`
    adds center * mean((s_i + s_j)^2) over the pairs, which holds the scores around 0
    (Eisenstein et al. 2023, 2312.09244). 0 for fewer than two answers.
    """
    ranks = torch.as_tensor(ranks, device=scores.device)
    i, j = torch.triu_indices(len(scores), len(scores), offset=1, device=scores.device)
    if len(i) == 0:
        return scores.sum() * 0.0
    swap = ranks[j] < ranks[i]
    i, j = torch.where(swap, j, i), torch.where(swap, i, j)
    tie = ranks[i] == ranks[j]
    gap = scores[i] - scores[j]
    strict = gap if margin is None else gap - (margin[i, j] if torch.is_tensor(margin) else margin)
    half_each = -0.5 * (F.logsigmoid(gap) + F.logsigmoid(-gap))
    losses = torch.where(tie, half_each, -F.logsigmoid(strict))
    return losses.mean() + center * (scores[i] + scores[j]).square().mean()


def plackett_luce_loss(
    scores: Tensor, ranks: Tensor | Sequence[float], center: float = 0.0
) -> Tensor:
    """Negative log-likelihood, in nats, of the order of one prompt's answers (Plackett-Luce).

    The best is chosen among all, the next among the rest, ..., each in proportion to exp(score):
    sum_i [log sum_{j: rank_j >= rank_i} exp(s_j) - s_i]. `scores` (K,); `ranks` (K,), 1 is best.
    Each of a tied group is chosen among all that are not ranked above the group, itself included
    (Breslow): that is least where the tied scores are equal. The mean over the group's orders,
    which it stands for, has as many terms as there are orders. `center` as in `ranking_loss`, for
    each of the K - 1 choices. 0 for fewer than two answers.
    """
    ranks = torch.as_tensor(ranks, device=scores.device)
    i, j = torch.triu_indices(len(scores), len(scores), offset=1, device=scores.device)
    if len(i) == 0:
        return scores.sum() * 0.0
    above_KK = ranks[None, :] < ranks[:, None]
    open_to_KK = scores.expand(len(scores), -1).masked_fill(above_KK, -torch.inf)
    losses = open_to_KK.logsumexp(1) - scores
    centring = (scores[i] + scores[j]).square().mean()
    return losses.sum() + center * (len(scores) - 1) * centring


def binary_loss(scores: Tensor, good: Tensor | Sequence[bool]) -> Tensor:
    """Mean over (K,) answers of -log sigmoid(s) where `good`, -log(1 - sigmoid(s)) where not.

    A score is then the log-odds that an answer is good. 0 for no answers.
    """
    if len(scores) == 0:
        return scores.sum() * 0.0
    good = torch.as_tensor(good, dtype=scores.dtype, device=scores.device)
    return F.binary_cross_entropy_with_logits(scores, good)


def rank_margins(ranks: Tensor | Sequence[float], per_rank: float) -> Tensor:
    """Margins (K, K) for `ranking_loss`: `per_rank` for each rank that i stands above j, else 0.

    Llama 2's margin (3.2.2), with the distance of ranks for how much better people said i was.
    """
    ranks_K = torch.as_tensor(ranks)
    return per_rank * (ranks_K[None, :] - ranks_K[:, None]).clamp(min=0)


def rating_margins(ratings: Tensor | Sequence[float | None], per_point: float) -> Tensor:
    """Margins (K, K) for `ranking_loss`: `per_point` for each point by which i is rated above j.

    `ratings` (K,) are one person's, on one scale: two people's points are not the same. 0 where
    either is None or NaN, not rated, or where j is rated as high.
    """
    if not torch.is_tensor(ratings):
        ratings = torch.tensor([float("nan") if x is None else float(x) for x in ratings])
    above_KK = ratings[:, None] - ratings[None, :]
    return torch.where(above_KK > 0, per_point * above_KK, 0.0)


class AdaptiveKL:
    """A KL coefficient that steers the measured KL to a target (Ziegler et al., section 2.2)."""

    def __init__(self, coef: float, target: float, horizon: float) -> None:
        """`target` in the unit of the KL that `update` is given; `horizon` in episodes."""
        self.coef = coef
        self.target = target
        self.horizon = horizon

    def update(self, kl: float, n: int) -> None:
        """Move the coefficient after `n` episodes whose mean KL was `kl`."""
        error = min(max(kl / self.target - 1.0, -0.2), 0.2)
        self.coef *= 1.0 + error * n / self.horizon


def token_logps(logits: Tensor, ids: Tensor, temperature: float = 1.0) -> Tensor:
    """log softmax(logits / temperature) at `ids`: (..., V), (...) give (...), no shift inside."""
    scaled = _wide(logits) / temperature
    chosen = scaled.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    return (chosen - scaled.logsumexp(-1)).to(logits.dtype)


def entropy(logits: Tensor) -> Tensor:
    """Entropy of softmax(logits) in nats: (..., V) gives (...)."""
    return entropy_of(_wide(logits).log_softmax(-1)).to(logits.dtype)


def entropy_of(logps: Tensor) -> Tensor:
    """`entropy` of a distribution that is known by its log-probabilities (..., V); a token that
    cannot occur adds nothing.
    """
    least = torch.finfo(logps.dtype).min  # 0 times infinity is no number
    return -(logps.exp() * logps.clamp(min=least)).sum(-1)


def full_kl(logits: Tensor, ref_logits: Tensor) -> Tensor:
    """KL(softmax(logits) || softmax(ref_logits)) over the vocabulary: (..., V) gives (...)."""
    logps, ref_logps = (_wide(x).log_softmax(-1) for x in (logits, ref_logits))
    return full_kl_of(logps, ref_logps).to(logits.dtype)


def full_kl_of(logps: Tensor, ref_logps: Tensor) -> Tensor:
    """`full_kl` of distributions that are known by their log-probabilities (..., V); a token that
    cannot occur adds nothing.
    """
    gain = logps.exp() * (logps - ref_logps)
    return torch.where(logps.isneginf(), 0.0, gain).sum(-1)


def _kept(x: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask.bool(), x, torch.zeros((), dtype=x.dtype, device=x.device))


def _wide(x: Tensor) -> Tensor:
    """Half precision is widened for sums over the vocabulary; float32 and float64 stay."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
