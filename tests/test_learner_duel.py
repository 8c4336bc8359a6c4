"""What the gate counts as a win."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from learner.batching import Group
from learner.checks.duel import FIRST_LOOK, LAST_LOOK, fight, share_won, win_rate
from learner.gate import Case
from policy.model import Model, load
from tests.tiny_models import make_tiny

HELD_OUT = [(5 + number, 6, 7) for number in range(40)]


class Judge:
    """Scores the new version's replies and the live one's in turn: the new one's lead by this much
    in each half, the same on every prompt or one for each."""

    def __init__(self, *leads: float | list[float]) -> None:
        self.leads = leads
        self.calls = 0

    def score(self, groups: Sequence[Group]) -> list[list[float]]:
        lead = self.leads[self.calls // 2] if self.calls % 2 == 0 else 0.0
        self.calls += 1
        each = lead if isinstance(lead, list) else [lead] * len(groups)
        return [[one] * len(group.replies) for one, group in zip(each, groups, strict=True)]


def case_of(model: Model, judge: Judge) -> Case:
    """What a duel reads of a case."""
    fields: dict[str, Any] = {
        "live": model,
        "judge": judge,
        "judge_scale": 1.0,
        "held_out": HELD_OUT,
        "max_tokens": 4,
        "seed": 0,
    }
    return cast(Case, SimpleNamespace(**fields))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(make_tiny(tmp_path_factory.mktemp("tiny") / "policy", "llama", seed=0))


def test_a_comparison_counts_by_its_probability_of_being_won() -> None:
    """Two answers one deviation ahead of one, which is worth log-odds of 2: e^2 to 1 each."""
    share = share_won([1.0, 1.0], [0.0], scale=2.0)
    assert share == pytest.approx(math.exp(2) / (1 + math.exp(2)), abs=1e-6)


def test_the_same_scores_win_half() -> None:
    """All with all, four comparisons."""
    assert share_won([0.3, -0.7], [-0.7, 0.3], scale=1.5) == pytest.approx(0.5, abs=1e-6)


def test_a_version_that_does_not_lead_on_the_first_half_has_lost(model: Model) -> None:
    """Level on the first twenty of forty prompts: the others, where it would win, are not asked."""
    duel = fight(model, case_of(model, Judge(0.0, 9.0)), replies=2)
    assert len(duel.wins) == 20
    assert not win_rate(duel).passed


def test_a_version_that_leads_by_far_on_the_first_half_has_won(model: Model) -> None:
    """Sure wins on all of it: the others, where it would lose, are not asked."""
    duel = fight(model, case_of(model, Judge(9.0, -9.0)), replies=2)
    assert len(duel.wins) == 20
    assert win_rate(duel).passed


def test_a_close_first_half_is_not_enough(model: Model) -> None:
    """Eleven sure wins and nine sure losses lead, by less than 2.797 errors; then all forty count,
    and twenty more losses lose."""
    duel = fight(model, case_of(model, Judge([9.0] * 11 + [-9.0] * 9, -9.0)), replies=2)
    assert len(duel.wins) == 40
    assert duel.rate[0] == pytest.approx(11 / 40, abs=1e-3)
    assert not win_rate(duel).passed


def test_two_looks_err_as_one_does() -> None:
    """Two equal versions, in a hundred thousand pairs of halves: one side or the other passes at a
    look about one time in twenty, as with a single look at 1.96."""
    draws = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 100_000, generator=draws)
    passed = (first.abs() > FIRST_LOOK) | (((first + second) / 2**0.5).abs() > LAST_LOOK)
    assert passed.float().mean().item() == pytest.approx(0.05, abs=0.003)
