"""How long a person takes."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from .judgements import Judgement


def median_seconds(judgements: Iterable[Judgement]) -> float | None:
    """Of a judgement, over those whose time is known: a break for coffee moves no median."""
    taken = [j.seconds for j in judgements if j.seconds is not None]
    return median(taken) if taken else None
