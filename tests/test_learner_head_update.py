"""The reward model's heads brought up to date on a frozen trunk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from learner.batching import Group
from learner.head_update import HOLD, RIDGE, Seen, heads_HD, put, updated
from learner.ranked_group import RankedGroup
from learner.reward_model import RewardModel
from learner.reward_settings import RewardSettings
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("heads") / "policy")


def seen(*features: tuple[float, ...], ranks: tuple[int, ...] = (1, 2)) -> Seen:
    """Two answers with these first coordinates of the trunk's 64, the others 0."""
    states = torch.zeros(len(features), 64)
    for state, given in zip(states, features, strict=True):
        state[: len(given)] = torch.tensor(given)
    group = Group((1,), ((2,),) * len(features))
    return Seen(RankedGroup("c", group, ranks, ("",) * len(features)), states)


def test_the_head_goes_where_old_and_new_balance(folder: Path) -> None:
    """Answers at 1 and -1 along one axis, the first better, from a head of 0: a change x of that
    coordinate costs log(1 + e^-2x) + HOLD x^2 + RIDGE x^2, whose slope is 0 at
    2 / (1 + e^2x) = 2 x (HOLD + RIDGE).
    """
    model = RewardModel.start(folder, seed=1)
    found = updated(model, torch.zeros(1, 64), [seen((1.0,), (-1.0,))], RewardSettings())
    x = found[0, 0]
    assert (1 / (1 + (2 * x).exp())).item() == pytest.approx((x * (HOLD + RIDGE)).item(), abs=1e-4)
    assert found[0, 1:].abs().max().item() == 0.0


def test_the_scale_of_scores_is_the_models(folder: Path) -> None:
    """Of scores half as large the head must move twice as far, but for the ridge."""
    model = RewardModel.start(folder, seed=1)
    one = updated(model, torch.zeros(1, 64), [seen((1.0,), (-1.0,))], RewardSettings())
    model.mean, model.std = 5.0, 2.0
    two = updated(model, torch.zeros(1, 64), [seen((1.0,), (-1.0,))], RewardSettings())
    torch.testing.assert_close(two, 2 * one, rtol=0.02, atol=0.0)


def test_what_no_ranking_speaks_of_stays(folder: Path) -> None:
    """A published head that is sure of old rankings along one axis keeps it while a new one along
    another is learned.
    """
    model = RewardModel.start(folder, seed=1)
    published = torch.zeros(1, 64)
    published[0, 0] = 5.0
    old = [seen((1.0, 0.0), (-1.0, 0.0)) for _ in range(4)]
    found = updated(model, published, [*old, seen((0.0, -1.0), (0.0, 1.0))], RewardSettings())
    assert found[0, 0].item() == pytest.approx(5.0, abs=0.01)
    assert found[0, 1].item() < -0.5


@pytest.mark.parametrize("kind", ["listwise", "binary"])
def test_every_kind_moves_towards_its_ranking(folder: Path, kind: str) -> None:
    """The better answer rises above the worse."""
    settings = RewardSettings.model_validate({"kind": kind})
    model = RewardModel.start(folder, seed=1)
    found = updated(model, torch.zeros(1, 64), [seen((1.0,), (0.0, 1.0))], settings)
    assert found[0, 0].item() > found[0, 1].item()


def test_each_of_several_heads_moves_from_its_own_place(folder: Path) -> None:
    """They stay apart, and `head` becomes their mean."""
    model = RewardModel.start(folder, 1, heads=3)
    before = heads_HD(model)
    after = updated(model, before, [seen((1.0,), (-1.0,))], RewardSettings(heads=3))
    put(model, after)
    assert (after[:, 0] > before[:, 0]).all()
    torch.testing.assert_close(after[:, 1:], before[:, 1:])
    torch.testing.assert_close(model.head.weight, after.mean(0, keepdim=True))
