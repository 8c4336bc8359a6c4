"""How a version's manner has moved from the live one's, on the same prompts.

The judge may like each of these, and the KL may allow it: they are what a policy learns that has
found out its reward instead of what people wish.
"""

from __future__ import annotations

from collections.abc import Iterator

from feedback.records import Reason
from learner.checks.manner import Manner
from learner.gate_settings import DriftSettings

SLACK = 0.05
"""Nats of entropy that no factor forbids: a version that always says one thing has none to double.
"""


def drift(new: Manner, live: Manner, limits: DriftSettings, on_purpose: bool) -> Iterator[Reason]:
    """Six measures. Of a version that moves on purpose four are told without a limit."""
    held = not on_purpose
    yield _entropy(new.entropy, live.entropy, limits.entropy, held)
    yield _length(new.length, live.length, limits, held)
    risen = (new.unfinished, live.unfinished, limits.unfinished)
    yield _risen("unfinished", "replies do not end by themselves", *risen)
    risen = (new.repetition, live.repetition, limits.repetition)
    yield _risen("repetition", "runs of four tokens were said before", *risen)
    risen = (new.refusals, live.refusals, limits.refusals)
    yield _risen("refusals", "replies refuse", *risen, held)
    yield _words(new.moved(live), limits.words, held)


def _entropy(new: float, live: float, factor: float, held: bool) -> Reason:
    low, high = live / factor - SLACK, factor * live + SLACK
    text = f"{new:.2f} nats of entropy per token; the live version has {live:.2f}, "
    return _between("entropy", new, low, high, text, held)


def _length(new: float, live: float, limits: DriftSettings, held: bool) -> Reason:
    text = f"{new:.1f} tokens per reply; the live version has {live:.1f}, "
    low, high = live / limits.shorter, limits.longer * live
    return _between("length", new, low, high, text, held)


def _between(check: str, value: float, low: float, high: float, text: str, held: bool) -> Reason:
    if not held:
        return Reason(check, True, value, None, text + "fine-tuning has no limit.")
    nearer = low if value < (low + high) / 2 else high
    text += f"the limits are {max(low, 0.0):.2f} and {high:.2f}."
    return Reason(check, low <= value <= high, value, nearer, text)


def _risen(
    check: str, what: str, new: float, live: float, rise: float, held: bool = True
) -> Reason:
    text, limit = f"{new:.3f} of {what}; of the live version's {live:.3f}, ", live + rise
    if not held:
        return Reason(check, True, new, None, text + "fine-tuning has no limit.")
    return Reason(check, new <= limit, new, limit, text + f"the limit is {limit:.3f}.")


def _words(moved: float, limit: float, held: bool) -> Reason:
    text = f"{moved:.3f} of the tokens said are others than the live version's; "
    if not held:
        return Reason("words", True, moved, None, text + "fine-tuning has no limit.")
    return Reason("words", moved <= limit, moved, limit, text + f"the limit is {limit:.3f}.")
