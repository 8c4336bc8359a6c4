"""What the gate counts as a win."""

from __future__ import annotations

import math

import pytest

from learner.gate import _wins


def test_a_comparison_counts_by_its_probability_of_being_won() -> None:
    """Two answers one deviation ahead of one, which is worth log-odds of 2: e^2 to 1 each."""
    share = _wins([1.0, 1.0], [0.0], scale=2.0)
    assert share == pytest.approx(math.exp(2) / (1 + math.exp(2)), abs=1e-6)


def test_the_same_scores_win_half() -> None:
    """All with all, four comparisons."""
    assert _wins([0.3, -0.7], [-0.7, 0.3], scale=1.5) == pytest.approx(0.5, abs=1e-6)
