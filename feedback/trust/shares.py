"""What one person's thumbs, ratings and demonstrations may teach in a round: as much of a cap as
their rankings are trusted. Pure.

The caps are those of rankings (weights.py): from three people on, nobody has more than a few, or
one and a half times the median of those who gave the same. Whose rankings weigh less has as much
less of the cap; whose are left out is left out here, too.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .judgements import Judgement
from .settings import TrustSettings
from .skill import skills
from .weights import Trust, cap_of, trust_of


@dataclass(frozen=True)
class Given:
    """A demonstration, or what one person said of one prompt's answers: its rows, and whose."""

    ids: tuple[int, ...]
    person: str


@dataclass(frozen=True)
class HeldBack:
    """What does not count, and why."""

    ids: tuple[int, ...]
    person: str
    reason: str


def held_back(
    given: Sequence[Given], judgements: Sequence[Judgement], settings: TrustSettings, seed: int
) -> list[HeldBack]:
    """All that does not count in a round; `seed` draws what a cap leaves."""
    people: dict[str, list[Given]] = defaultdict(list)
    for one in given:
        people[one.person].append(one)
    everybody = people.keys() | {one.person for one in judgements if not one.imported}
    if len(everybody) < settings.people:
        return []
    trusted = trust_of(everybody, skills(judgements), settings)
    counts = [len(own) for person, own in people.items() if trusted[person].weight]
    cap = cap_of(counts if len(people) >= settings.people else [], settings)
    rng = random.Random(seed)
    return [
        held
        for person, own in people.items()
        if person not in settings.exempt
        for held in _of_one(own, trusted[person], cap, rng)
    ]


def _of_one(own: Sequence[Given], trust: Trust, cap: int, rng: random.Random) -> Iterator[HeldBack]:
    """What is too much of one person's."""
    most = int(trust.weight * cap) if trust.cap is None else trust.cap
    kept = set(rng.sample(range(len(own)), min(most, len(own))))
    reason = f"cap: {len(own)} by one person, of whom {most} count"
    if trust.reason is not None:
        reason += f"; {trust.reason}"
    for place, one in enumerate(own):
        if place not in kept:
            yield HeldBack(one.ids, one.person, reason)
