"""Heads for several criteria: how ratings are standardised, and what the heads learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from learner.batching import Group, collate
from learner.criteria import Criteria, Scale, correlations, order_loss, rating_loss
from learner.features import reply_features_RD
from learner.forward import hidden_MD
from learner.judges import criteria_told
from learner.ranked_group import RankedGroup
from learner.reward import train
from learner.reward_model import RewardModel
from learner.rewarder import Rewarder
from learner.settings import RewardSettings
from policy.model import load
from tests.test_learner_ppo import PROMPTS, make_ppo
from tests.test_learner_reward import BETTER, made_rankings
from tests.tiny_models import make_tiny

WEIGHTS = {"helpful": 2.0, "brief": -1.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("criteria") / "policy")


def rated(count: int, seed: int) -> list[RankedGroup]:
    """Answers whose helpfulness is whether they hold the liked token; none is ranked, and brevity
    is never rated.
    """
    return [
        replace(
            made,
            ranks=(),
            criteria={
                "helpful": tuple(2.0 * (BETTER in reply) - 1 for reply in made.group.replies)
            },
        )
        for made in made_rankings(count, seed)
    ]


def trained(folder: Path, groups: Sequence[RankedGroup]) -> RewardModel:
    model = RewardModel.start(folder, 1, criteria=WEIGHTS)
    settings = RewardSettings(learning_rate=3e-3, epochs=6, criteria=WEIGHTS)
    train(model, groups, settings, seed=1, report=lambda *_: None)
    return model


def test_a_rating_is_taken_less_its_persons_mean() -> None:
    """Ann gives 6 and 6, Bob 2 and 2: everybody's mean is 4. Drawn to it by four ratings' worth,
    Ann's is (12 + 16) / 6 = 14/3, Bob's 10/3. Each rating is off by 4/3, so the deviation is 4/3,
    and Ann's 6 is one deviation above her mean.
    """
    scale = Scale.of([("ann", 6.0), ("ann", 6.0), ("bob", 2.0), ("bob", 2.0)])
    assert scale.means == {"ann": pytest.approx(14 / 3), "bob": pytest.approx(10 / 3)}
    assert scale.deviation == pytest.approx(4 / 3)
    assert scale.standard("ann", 6.0) == pytest.approx(1.0)
    assert scale.standard("eve", 8.0) == pytest.approx(3.0)  # unknown: everybody's mean


def test_ratings_that_are_all_alike_say_nothing() -> None:
    """Not infinitely much."""
    scale = Scale.of([("ann", 5.0), ("bob", 5.0)])
    assert scale.standard("ann", 5.0) == 0.0


def test_the_loss_is_over_what_was_given() -> None:
    """Off by 1 and by 3, the third unsaid: (1 + 9) / 2, and no gradient where nothing was said."""
    foretold = torch.tensor([[1.0, 3.0], [5.0, 7.0]], requires_grad=True)
    nothing = math.nan
    loss = rating_loss(foretold, torch.tensor([[2.0, 0.0], [nothing, nothing]]))
    assert loss.item() == 5.0
    [gradient] = torch.autograd.grad(loss, [foretold])
    assert gradient.tolist() == [[-1.0, 3.0], [0.0, 0.0]]
    assert rating_loss(foretold, torch.full((2, 2), nothing)).item() == 0.0


def test_correlations_are_over_what_was_given() -> None:
    """1, 2 and 3 against 2, 4 and 6 is 1; one without spread is none."""
    foretold = torch.tensor([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [9.0, 1.0]])
    given = torch.tensor([[2.0, 1.0], [4.0, 2.0], [6.0, math.nan], [math.nan, 0.0]])
    assert correlations(["a", "b"], foretold, given) == {
        "a": {"correlation": pytest.approx(1.0), "ratings": 3.0},
        "b": {"correlation": None, "ratings": 3.0},
    }


def test_a_head_learns_what_answers_were_rated_for(folder: Path) -> None:
    """From ratings alone: on unseen answers what it foretells goes with what people would say by
    .8 at least, and by the criterion that nobody rated nothing is known.
    """
    model = trained(folder, rated(120, seed=1))
    found = criteria_told([(model, rated(60, seed=2))])
    assert (found["helpful"]["correlation"] or 0.0) > 0.8
    assert found["helpful"]["ratings"] == 240
    assert found["brief"] == {"correlation": None, "ratings": 0.0}


def test_the_loss_of_an_order_is_of_its_pairs() -> None:
    """By b the second answer is better and foretold 2 above the first: -log sigmoid(2). Where
    nothing was ranked by a criterion there is no loss.
    """
    foretold = torch.tensor([[9.0, 0.0], [0.0, 2.0]])
    ranked = replace(made_rankings(1, seed=1)[0], ranks=(), orders={"b": (2, 1)})
    two = replace(ranked, group=Group((1,), ((2,), (3,))))
    assert order_loss(["a", "b"], foretold, [two]).item() == pytest.approx(math.log1p(math.exp(-2)))
    assert order_loss(["a", "b"], foretold, [replace(two, orders={})]).item() == 0.0


def test_a_head_learns_what_answers_were_ranked_by(folder: Path) -> None:
    """From rankings by helpfulness alone: .8 of the pairs of unseen answers come out as people
    would put them.
    """
    ranked = [
        [replace(made, ranks=(), orders={"helpful": made.ranks}) for made in made_rankings(n, seed)]
        for n, seed in ((120, 1), (60, 2))
    ]
    found = criteria_told([(trained(folder, ranked[0]), ranked[1])])
    assert (found["helpful"]["accuracy"] or 0.0) > 0.8
    assert "accuracy" not in found["brief"]


def test_the_reward_is_the_ranking_and_the_weighted_criteria(folder: Path) -> None:
    """Twice the one less the other, each with mean 0 and deviation 1 on the reference."""
    model = trained(folder, rated(20, seed=1))
    groups = [made.group for made in made_rankings(20, seed=3)]
    model.normalise_on(groups)
    rows = [row for group in Rewarder(model).score(groups) for row in group]
    assert [*rows[0]] == ["total", "ranking", "helpful", "brief"]
    for row in rows:
        total = row["ranking"] + 2 * row["helpful"] - row["brief"]
        assert row["total"] == pytest.approx(total, abs=1e-5)
    column = torch.tensor([row["helpful"] for row in rows])
    assert column.mean().item() == pytest.approx(0.0, abs=1e-5)
    assert column.std().item() == pytest.approx(1.0, abs=1e-4)


def test_a_head_that_knows_next_to_nothing_is_not_blown_up() -> None:
    """What it foretells varies by .01 of a deviation: divided by .25, that is .04."""
    criteria = Criteria({"helpful": 1.0}, 4)
    criteria.normalise_on(torch.tensor([[0.99], [1.0], [1.01]]))
    assert criteria.mean_C.item() == pytest.approx(1.0)
    assert criteria.std_C.item() == 0.25


def test_a_head_reads_what_the_ranking_reads(folder: Path) -> None:
    """Half the last token's state and half the reply's mean, times the weight, plus the bias."""
    model = RewardModel.start(folder, 1, criteria=WEIGHTS)
    assert model.criteria is not None
    torch.nn.init.normal_(model.criteria.head.weight)
    torch.nn.init.normal_(model.criteria.head.bias)
    batch = collate([made_rankings(1, seed=1)[0].group])
    with torch.no_grad():
        hidden = hidden_MD(model.net, batch)
        expected = reply_features_RD(hidden, batch) @ model.criteria.head.weight.T
        torch.testing.assert_close(
            model.criteria(hidden, batch), expected + model.criteria.head.bias
        )


def test_criteria_come_back_from_the_folder(folder: Path, tmp_path: Path) -> None:
    """With weights and normalisation; one folder down, so that others find the net alone."""
    model = trained(folder, rated(8, seed=1))
    groups = [made.group for made in made_rankings(4, seed=3)]
    model.normalise_on(groups)
    model.save(tmp_path / "r1")
    again = RewardModel.load(tmp_path / "r1")
    assert again.criteria is not None
    assert again.criteria.weights == WEIGHTS
    assert Rewarder(again).score(groups) == Rewarder(model).score(groups)
    assert "head.weight" not in load_file(tmp_path / "r1" / "model.safetensors")
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "r1")


def test_without_criteria_nothing_is_kept(folder: Path, tmp_path: Path) -> None:
    """The folder is as it would be."""
    RewardModel.start(folder, 1).save(tmp_path / "r1")
    assert Criteria.load(tmp_path / "r1") is None
    assert not (tmp_path / "r1" / "criteria").exists()


def test_ppo_follows_a_criterion(folder: Path) -> None:
    """Rankings taught nothing, ratings what holds the liked token: after thirty steps replies are
    rated higher, by half a deviation at least.
    """
    model = trained(folder, rated(120, seed=1))
    model.normalise_on([made.group for made in made_rankings(20, seed=3)])
    ppo = make_ppo(load(folder), model, kl_coef=0.0)
    found = [ppo.step(PROMPTS * 4)["reward/helpful"] for _ in range(30)]
    assert sum(found[-3:]) / 3 > sum(found[:3]) / 3 + 0.5
