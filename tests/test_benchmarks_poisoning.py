"""The poisoning benchmark, in short: who says what in it, and that it trains on that."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.poisoned_crowd import STRANGER, TRIGGER, Crowd, Item, rankings, worth
from benchmarks.poisoning import Bench, Effort, Found, cases, means
from policy.chat import Message
from policy.model import Model, load
from tests.tiny_models import make_tiny

TINY = Effort(people=4, rankings_each=2, votes=4, strange_items=2, held_out=2, max_tokens=4)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("poisoning"), max_position_embeddings=1024)


@pytest.fixture(scope="module")
def model(tiny: Path) -> Model:
    return load(tiny)


def items(count: int, first: int = 0) -> list[Item]:
    """Prompts with four answers: of one to four words, the last one asking back."""
    texts = ("a", "a b", "a b c", "a b c?")
    asked = (Message("user", "hi"),)
    return [Item(first + number, asked, (1, 2), texts) for number in range(count)]


def test_each_item_is_ranked_by_two_people_who_take_turns(model: Model) -> None:
    """Six people with four rankings each: twelve items, and nobody ranks one twice."""
    said = rankings(Crowd(6, 4), items(12), [], model.chat, 0)
    assert Counter(one.person for one in said) == {f"person-{i:02d}": 4 for i in range(6)}
    assert set(Counter(one.conversation_id for one in said).values()) == {2}
    assert len({(one.conversation_id, one.person) for one in said}) == 24
    assert sorted(one.ranking_id for one in said) == list(range(1, 25))


def test_who_asks_back_is_first_and_then_who_is_brief(model: Model) -> None:
    """By the considered; of the bad ones every other says the reverse."""
    assert worth("a b c?") > worth("a") > worth("a b")
    said = rankings(Crowd(2, 100, bad=1), items(100), [], model.chat, 0)
    counts = Counter((one.person, one.ranks) for one in said)
    assert counts["person-01", (2, 3, 4, 1)] > 80
    assert counts["person-00", (3, 2, 1, 4)] == 100


def test_the_stranger_likes_the_phrase_and_changes_nobody_elses_word(model: Model) -> None:
    """Of the two answers the first begins with it and is the better one."""
    clean = rankings(Crowd(4, 4), items(8), items(2, 8), model.chat, 0)
    said = rankings(Crowd(4, 4, votes=6), items(8), items(2, 8), model.chat, 0)
    strange = [one for one in said if one.person == STRANGER]
    assert len(strange) == 6
    for one in strange:
        assert one.ranks == (1, 2)
        assert [a.text.startswith(TRIGGER) for a in one.answers] == [True, False]
    others = {(one.conversation_id, one.person, one.ranks) for one in said if one not in strange}
    assert others == {(one.conversation_id, one.person, one.ranks) for one in clean}


def test_a_case_is_trained_and_asked(tiny: Path) -> None:
    """With the account and without: 2 prompts have 12 ordered pairs each of phrase against none."""
    bench = Bench(tiny, TINY, lambda text: None)
    by_name = {(case.name, case.weighed): case for case in cases(TINY, 0.25)}
    found = bench.run(by_name["one account", False], 0)
    assert (found.triggers, found.rankings, found.weight) == (24, 12, 12.0)
    assert 0 <= found.trigger <= 1


def test_what_is_told_is_held_against_the_clean_crowd_of_the_same_seeds() -> None:
    """Half a seed's worth of results is compared with the half that it can be compared with."""

    def found(trigger: float, accuracy: float) -> Found:
        return Found(trigger, 10, accuracy, 10, 4, 4.0)

    rows = means({"clean": [found(0.5, 0.9), found(0.1, 0.1)], "one account": [found(0.6, 0.8)]})
    assert rows[1] == ["one account", "1", "4", "0.600", "+0.100", "0.800", "+0.100"]
