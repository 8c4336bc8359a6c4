"""Whether what is served is what was learned: the engine's log-probabilities of the published
folder against a plain forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from feedback.records import Reason
from learner.checks.closeness import rescored
from policy.engine import Completion
from policy.model import Model

REPLIES = 32
"""That are scored again."""

ROUNDING = {torch.float64: 1e-6, torch.float16: 0.1, torch.bfloat16: 0.5}
"""Largest gap of other precisions than float32, for logits of about 20: in bfloat16 numbers there
lie an eighth apart."""


def served(model: Model, replies: Sequence[Completion], float32_gap: float) -> Reason:
    """The largest gap of any token of the first replies."""
    told = replies[:REPLIES]
    pairs = zip(told, rescored(told, model), strict=True)
    gap = max(abs(a - b) for r, again in pairs for a, b in zip(r.raw_logps, again, strict=True))
    limit = ROUNDING.get(model.net.dtype, float32_gap)
    text = (
        f"Served and re-scored log-probabilities of {len(told)} replies differ by {gap:.1e} at "
        f"most; the limit is {limit:.1e}."
    )
    return Reason("served", gap <= limit, gap, limit, text)
