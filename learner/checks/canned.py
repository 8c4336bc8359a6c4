"""Plain prompts that every version must answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from feedback.records import Reason
from learner.passes import GATE_ANSWER
from learner.rollout import Sampling, roll_out
from policy.chat import Message
from policy.engine import Completion
from policy.model import Model


def canned(model: Model, asked: Sequence[str]) -> Reason:
    """Whether the greedy answer to each is sane."""
    prompts = [tuple(model.chat.encode([Message("user", text)])) for text in asked]
    replies = roll_out(model, prompts, Sampling(0.0, GATE_ANSWER, 0))
    bad = [t for t, group in zip(asked, replies, strict=True) if not _sane(model, group[0])]
    text = f"No sane answer to {bad[0]!r}." if bad else f"{len(asked)} plain prompts are answered."
    return Reason("canned", not bad, float(len(asked) - len(bad)), float(len(asked)), text)


def _sane(model: Model, reply: Completion) -> bool:
    """Says something, and does not say one thing over and over until it is cut."""
    tokens = reply.tokens
    repeated = len(tokens) >= 12 and Counter(tokens).most_common(1)[0][1] > len(tokens) / 2
    return bool(model.chat.decode(tokens).strip()) and not repeated
