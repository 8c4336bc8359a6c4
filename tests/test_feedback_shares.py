"""How much of a round one person's marks and demonstrations may be."""

from __future__ import annotations

from collections import Counter

from feedback.trust.judgements import Judgement
from feedback.trust.settings import TrustSettings
from feedback.trust.shares import Given, held_back

SETTINGS = TrustSettings(cap=4, proven=2)


def given(**counts: int) -> list[Given]:
    """So many of each person, numbered from 0."""
    people = [person for person, count in counts.items() for _ in range(count)]
    return [Given((number,), person) for number, person in enumerate(people)]


def ranked(person: str, item: int, ranks: tuple[int, ...] = (1, 2)) -> Judgement:
    ids = (f"{item}-a", f"{item}-b")
    return Judgement(hash((person, item)) % 10**6, person, ids, ranks, (9, 9))


def counts_of(found: list[Given], **more: object) -> Counter[str]:
    held = held_back(found, [], SETTINGS.model_copy(update=more), seed=1)
    return Counter(one.person for one in held)


def test_two_people_count_in_full() -> None:
    """Of two nobody can say who gives too much."""
    assert not counts_of(given(ann=100, bob=1))


def test_nobody_has_more_than_the_cap_or_the_median_person_and_a_half() -> None:
    """Few, and nobody else's many: a cap of 4; medians of 6: 9. Which, chance says, alike."""
    assert counts_of(given(ann=2, bob=2, eve=2000)) == {"eve": 1996}
    assert counts_of(given(ann=6, bob=6, eve=2000)) == {"eve": 1991}
    many = given(ann=2, bob=2, eve=50)
    assert held_back(many, [], SETTINGS, 3) == held_back(many, [], SETTINGS, 3)
    assert held_back(many, [], SETTINGS, 3) != held_back(many, [], SETTINGS, 4)


def test_one_who_shows_among_three_who_rank_has_the_cap_unless_exempt() -> None:
    """The reason says what counts; whoever is exempt counts in full."""
    crowd = [ranked(person, 1) for person in ("ann", "bob", "cid")]
    held = held_back(given(eve=10), crowd, SETTINGS, 1)
    assert {one.reason for one in held} == {"cap: 10 by one person, of whom 4 count"}
    assert len(held) == 6
    exempt = SETTINGS.model_copy(update={"exempt": ("eve",)})
    assert held_back(given(eve=10), crowd, exempt, 1) == []


def test_whose_rankings_are_worth_nothing_shows_nothing() -> None:
    """Three agree in forty items and eve says the opposite: what she shows is left out, too."""
    crowd = [ranked(p, item) for item in range(40) for p in ("ann", "bob", "cid")]
    crowd += [ranked("eve", item, (2, 1)) for item in range(40)]
    held = held_back(given(ann=3, eve=3), crowd, SETTINGS, 1)
    assert Counter(one.person for one in held) == {"eve": 3}
    assert all("skill: right in" in one.reason for one in held)
