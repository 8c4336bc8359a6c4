"""learner.mode: what follows a passed gate."""

from __future__ import annotations

import pytest

from learner.mode import Mode, outcome


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("auto", "promoted"),
        ("canary", "canary"),
        ("manual", "verified"),
        ("apprentice", "shadow"),
    ],
)
def test_a_passed_gate_is_followed_by_what_the_mode_says(mode: Mode, expected: str) -> None:
    """Only in mode auto does the version serve at once."""
    assert outcome("promoted", mode) == expected


@pytest.mark.parametrize("ended", ["rejected", "verified", "needs_feedback"])
def test_what_did_not_pass_ends_as_it_is(ended: str) -> None:
    """Whatever the mode."""
    assert outcome(ended, "canary") == ended
