"""Rollouts from imported prompt sets."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from pydantic import ValidationError

from feedback.records import LoggedPrompt
from learner.material import LoggedMaterial
from learner.set_prompts import SetPrompts
from learner.settings import LearnerSettings
from policy.model import load
from policy.source import BUILTIN


def prompt(ids: tuple[int, ...], name: str | None = None, split: str = "train") -> LoggedPrompt:
    return LoggedPrompt("c", split, (("user", f"{ids}"),), ids, name)


FOUND = [
    prompt((5, 1), "a"),
    prompt((5, 2), "a"),
    prompt((5, 3), "b"),
    prompt((5, 4), "b", "judge"),
]


def test_each_set_has_its_share_of_a_step() -> None:
    """Of 16 prompts a quarter is 4 of one set and a half is 8 of the other; what judges is none."""
    sets = SetPrompts.of(FOUND, {"a": 0.25, "b": 0.5})
    drawn = Counter(sets.draw(random.Random(0), 16))
    assert drawn[(5, 1)] + drawn[(5, 2)] == 4
    assert drawn[(5, 3)] == 8
    assert drawn.total() == 12


def test_part_of_a_prompt_is_drawn_by_chance() -> None:
    """A tenth of four is two in five steps: of 4,000 prompts 400, give or take 4 deviations of
    sqrt(1,000 * .4 * .6) = 15."""
    sets, rng = SetPrompts.of(FOUND, {"a": 0.1}), random.Random(0)
    drawn = sum(len(sets.draw(rng, 4)) for _ in range(1000))
    assert abs(drawn - 400) < 62


def test_shares_never_make_more_than_a_step() -> None:
    """Two halves of three prompts are three, not four."""
    sets, rng = SetPrompts.of(FOUND, {"a": 0.5, "b": 0.5}), random.Random(0)
    assert {len(sets.draw(rng, 3)) for _ in range(50)} <= {2, 3}


def test_empty_set_leaves_its_part_and_is_named() -> None:
    """Nothing is drawn of it, and the round says so."""
    sets = SetPrompts.of(FOUND, {"nobody's": 0.5})
    assert sets.draw(random.Random(0), 16) == []
    note = sets.note()
    assert note is not None
    assert '"nobody\'s"' in note.text
    assert SetPrompts.of(FOUND, {"a": 0.5}).note() is None


def test_the_rest_of_a_step_is_what_people_asked() -> None:
    """Half of eight is the set's, half the log's; what the user said is known of both."""
    sets = SetPrompts.of(FOUND, {"b": 0.5})
    material = LoggedMaterial(load(BUILTIN), [prompt((5, 9))], seed=1, sets=sets)
    assert Counter(material.draw(8)) == {(5, 3): 4, (5, 9): 4}
    assert material.said[(5, 3)] == "(5, 3)"


@pytest.mark.parametrize("shares", [{"a": 0.7, "b": 0.4}, {"a": 0.0}, {"a": 1.5}])
def test_shares_are_of_one_whole(shares: dict[str, float]) -> None:
    """More than all, nothing, and more than all of one."""
    with pytest.raises(ValidationError):
        LearnerSettings.model_validate({"ppo": {"prompt_sets": shares}})
