"""feedback.transitions: which state may follow which."""

from __future__ import annotations

import itertools

import pytest

from feedback.errors import IllegalMove
from feedback.transitions import MOVES, allowed, check

WAY = ("trained", "verified", "shadow", "canary", "live", "retired")


def test_the_way_of_a_version_is_allowed_step_by_step() -> None:
    """trained -> verified -> shadow -> canary -> live -> retired."""
    for source, target in itertools.pairwise(WAY):
        check("v1", "full", source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [(one, other) for one in MOVES for other in MOVES if other not in MOVES[one]],
)
def test_whatever_is_not_in_the_table_is_refused_with_both_states(source: str, target: str) -> None:
    """A caller reads from where to where it was."""
    with pytest.raises(IllegalMove, match=f"v1 is {source} and cannot become {target}"):
        check("v1", "full", source, target)


@pytest.mark.parametrize("target", ["shadow", "canary", "live"])
def test_a_reward_model_serves_nobody(target: str) -> None:
    """Not even some of the people."""
    assert not allowed("reward", "verified", target)
    assert allowed("full", "verified", target)


def test_the_starting_model_stays() -> None:
    """It is retired, never rejected: there must be something to return to."""
    assert allowed("base", "live", "retired")
    with pytest.raises(IllegalMove, match="starting model: it stays, so from live it cannot"):
        check("v0", "base", "live", "rejected")
