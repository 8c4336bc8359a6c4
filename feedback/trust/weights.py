"""What each ranking weighs in a round, and why it weighs less than 1. Pure.

From three people on:
1. Who is surely less often right than is usual weighs as much less as a ranking of theirs says
   less; who is right no more often than chance is left out.
2. A newcomer, of whose rankings too few can be checked, weighs half and has half of the least cap,
   once others are proven.
3. Nobody has more than a cap of rankings in a round, drawn from theirs. What an operator imported
   is no one person's, and counts in full.
4. Rankings by a criterion weigh what their person's others earn, under a cap of their own: what is
   said of one criterion cannot be held against what is said of the whole.

All weights are relative: where everybody is new, nobody weighs less. The cap leaves rankings out
instead of making all of them light: Adam divides each parameter's step by the size of its own
gradients, so what a light ranking alone speaks of would be learned as if it weighed 1.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from ..preferences import RankedPrompt
from ..records import DownWeighting
from .judgements import Judgement, by_person
from .settings import TrustSettings
from .skill import NOTHING, Skill, skills

LEAST = 0.1
"""Whose rankings would weigh less is left out: next to nothing is learned of them."""


@dataclass(frozen=True)
class Trust:
    """What a person's rankings weigh, the reason where that is less than 1, and how many may count
    where they are fewer than other people's.
    """

    weight: float
    reason: str | None = None
    cap: int | None = None


IN_FULL = Trust(1.0)


@dataclass(frozen=True)
class Weighing:
    """By how many people it is, and each ranking that weighs less than 1."""

    people: int
    down: tuple[DownWeighting, ...] = ()

    @property
    def weights(self) -> dict[int, float]:
        """By ranking, where it is not 1."""
        return {row.ranking_id: row.weight for row in self.down}


def weigh(
    judgements: Sequence[Judgement],
    settings: TrustSettings,
    seed: int,
    by_criterion: Sequence[Judgement] = (),
) -> Weighing:
    """The weights of all rankings of a round, and of those by a criterion; `seed` draws what a cap
    leaves.
    """
    people, others = (by_person(_said_here(given)) for given in (judgements, by_criterion))
    if len(people) < settings.people:
        return Weighing(len(people))
    trusted = trust_of(others.keys() | people.keys(), skills(judgements), settings)
    rng = random.Random(seed)
    down = [row for part in (people, others) for row in _of_people(part, trusted, settings, rng)]
    return Weighing(len(people), tuple(sorted(down, key=lambda row: row.ranking_id)))


def _said_here(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Those of people who were shown the answers by us."""
    return [judgement for judgement in judgements if not judgement.imported]


def _of_people(
    people: Mapping[str, Sequence[Judgement]],
    trusted: Mapping[str, Trust],
    settings: TrustSettings,
    rng: random.Random,
) -> Iterator[DownWeighting]:
    """Each of their rankings that weighs less than 1. Of few people the median is no measure."""
    counts = [len(said) for p, said in people.items() if trusted[p].weight]
    cap = cap_of(counts if len(people) >= settings.people else [], settings)
    for person, said in people.items():
        most = len(said) if person in settings.exempt else trusted[person].cap or cap
        yield from _rows(said, trusted[person], most, rng)


def apply(rankings: Sequence[RankedPrompt], weighing: Weighing) -> list[RankedPrompt]:
    """The rankings with their weights, but for those that are left out."""
    weights = weighing.weights
    weighed = [replace(ranked, weight=weights.get(ranked.ranking_id, 1.0)) for ranked in rankings]
    return [ranked for ranked in weighed if ranked.weight]


def trust_of(
    people: Collection[str], known: Mapping[str, Skill], settings: TrustSettings
) -> dict[str, Trust]:
    """Everybody's trust, relative to the median of those who are proven; without enough of them
    everybody's is full.
    """
    proven = [s.value for p, s in known.items() if p in people and s.rankings >= settings.proven]
    if len(proven) < settings.people:
        return dict.fromkeys(people, IN_FULL)
    usual = median(proven)
    return {
        person: IN_FULL
        if person in settings.exempt
        else _trust(known.get(person, NOTHING), usual, settings)
        for person in people
    }


def _trust(skill: Skill, usual: float, settings: TrustSettings) -> Trust:
    """A ranking that is right with probability q pulls 2q - 1 times as much as one that is always.
    What chance may have done is not held against anybody.
    """
    weight, cap = 1.0, None
    reason = f"newcomer: {skill.rankings} of {settings.proven} rankings that can be checked"
    if skill.rankings < settings.proven:
        weight, cap = settings.newcomer, max(1, int(settings.newcomer * settings.cap))
    if skill.high < usual and usual > 0.5:
        weight = min(weight, (2 * skill.value - 1) / (2 * usual - 1))
        reason = f"skill: right in {skill.value:.2f} of what can be checked, usual is {usual:.2f}"
    return Trust(weight if weight >= LEAST else 0.0, reason if weight < 1 else None, cap)


def cap_of(counts: Sequence[int], settings: TrustSettings) -> int:
    """The most rankings that one person may have, where people have so many. A mean would follow
    the very account that is to be held back.
    """
    return max(settings.cap, int(settings.medians * median(counts)) if counts else 0)


def _rows(
    said: Sequence[Judgement], trust: Trust, cap: int, rng: random.Random
) -> Iterator[DownWeighting]:
    """Each of one person's rankings that weighs less than 1."""
    person = said[0].person
    ids = [judgement.ranking_id for judgement in said]
    kept = ids if not trust.weight or len(ids) <= cap else rng.sample(ids, cap)
    capped = f"cap: {len(ids)} rankings, of one person {cap} count"
    for id in sorted(set(ids) - set(kept)):
        yield DownWeighting(id, person, 0.0, capped)
    if trust.reason is not None:
        for id in kept:
            yield DownWeighting(id, person, trust.weight, trust.reason)
