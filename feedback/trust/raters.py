"""All that is known of a person's rankings, for those who run the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..records import DownWeighting
from .bias import first_shown, longest
from .consistency import self_consistency
from .gold import Tally, on_gold
from .judgements import Judgement, by_person
from .kendall import tau_with_others
from .pace import median_seconds
from .settings import TrustSettings
from .skill import NOTHING, Skill, skills
from .weights import IN_FULL, Trust, trust_of


@dataclass(frozen=True)
class Rater:
    """`trust` is what a ranking weighs by what is known now; `round_weight` is what theirs weighed
    in the last round, all together. `left_out` counts rankings by reason, over all rounds;
    `lighter` those that weighed less than 1.
    """

    person: str
    rankings: int
    trust: Trust
    skill: Skill
    tau_b: float | None
    gold: Tally
    self_consistency: Tally
    first_shown: Tally
    longest: Tally
    median_seconds: float | None
    round_weight: float | None
    left_out: Mapping[str, int]
    lighter: Mapping[str, int]


def raters(
    judgements: Sequence[Judgement],
    settings: TrustSettings,
    last_weights: Mapping[str, float],
    down: Mapping[str, Sequence[DownWeighting]],
) -> list[Rater]:
    """Everybody who ranked, by name."""
    people, known, taus = by_person(judgements), skills(judgements), tau_with_others(judgements)
    trusted = dict.fromkeys(people, IN_FULL)
    if len(people) >= settings.people:
        trusted = trust_of(people, known, settings)
    return [
        Rater(
            person=person,
            rankings=len(people[person]),
            trust=trusted[person],
            skill=known.get(person, NOTHING),
            tau_b=taus.get(person),
            gold=on_gold(people[person]),
            self_consistency=self_consistency(people[person]),
            first_shown=first_shown(people[person]),
            longest=longest(people[person]),
            median_seconds=median_seconds(people[person]),
            round_weight=last_weights.get(person),
            left_out=Counter(one.reason for one in down.get(person, ()) if not one.weight),
            lighter=Counter(one.reason for one in down.get(person, ()) if one.weight),
        )
        for person in sorted(people)
    ]
