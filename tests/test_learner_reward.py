"""The reward model on a tiny random policy."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from learner.accuracy import judged_pairs, measure
from learner.batching import Group, collate
from learner.ranked_group import RankedGroup
from learner.reward import _rankings_loss, loss_of, schedule, train
from learner.reward_model import RewardModel
from learner.settings import RewardSettings
from tests.tiny_models import make_tiny

BETTER = 7
"""The token that the simulated person likes to see in a reply."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_tiny(tmp_path / "policy", "llama", seed=0)
    return tmp_path / "policy"


def made_rankings(count: int, seed: int) -> list[RankedGroup]:
    """Rankings of four random replies by whether they hold the liked token."""
    rng = random.Random(seed)
    rankings = []
    for i in range(count):
        prompt = tuple(rng.randrange(10, 60) for _ in range(rng.randrange(2, 8)))
        liked = [rng.random() < 0.5 for _ in range(4)]
        replies = [[rng.randrange(10, 60) for _ in range(rng.randrange(2, 8))] for _ in liked]
        for reply, is_liked in zip(replies, liked, strict=True):
            if is_liked:
                reply[rng.randrange(len(reply))] = BETTER
        group = Group(prompt, tuple(tuple(reply) for reply in replies))
        ranks = tuple(1 if x else 2 for x in liked)
        rankings.append(RankedGroup(str(i), group, ranks, ("",) * 4))
    return rankings


def accuracy(model: RewardModel, rankings: list[RankedGroup]) -> float:
    scores = model.score([r.group for r in rankings])
    pairs = [p for r, found in zip(rankings, scores, strict=True) for p in judged_pairs(r, found)]
    return measure(pairs).accuracy


def test_it_learns_what_a_person_likes_on_conversations_it_has_not_seen(folder: Path) -> None:
    """A random trunk finds the liked token in unseen replies nine times of ten."""
    model = RewardModel.start(folder, seed=1)
    settings = RewardSettings(learning_rate=3e-3, epochs=6)
    train(model, made_rankings(120, seed=1), settings, seed=1, report=lambda *_: None)
    assert accuracy(model, made_rankings(60, seed=2)) > 0.9


@pytest.mark.parametrize(
    "changed",
    [{"kind": "listwise"}, {"kind": "binary"}, {"margin": 0.5, "center": 0.01}, {"heads": 3}],
    ids=["listwise", "binary", "margin", "heads"],
)
def test_every_kind_orders_answers_it_has_not_seen(
    folder: Path, changed: dict[str, object]
) -> None:
    """Whatever a ranking teaches, nine of ten unseen pairs are told right, as by pairs alone."""
    given = {"learning_rate": 3e-3, "epochs": 6}
    settings = RewardSettings.model_validate(given | changed)
    model = RewardModel.start(folder, 1, settings.heads)
    train(model, made_rankings(120, seed=1), settings, seed=1, report=lambda *_: None)
    assert accuracy(model, made_rankings(60, seed=2)) > 0.9


def ranked(ranks: tuple[int, ...], **changed: object) -> RankedGroup:
    """A ranking of so many answers of one token."""
    group = Group((1,), ((2,),) * len(ranks))
    return RankedGroup("c", group, ranks, ("",) * len(ranks), **changed)  # type: ignore[arg-type]


def loss(scores: list[float], ranking: RankedGroup, **changed: object) -> float:
    """Of these scores, under these settings."""
    return loss_of(torch.tensor(scores), ranking, RewardSettings.model_validate(changed)).item()


def test_the_top_group_is_good() -> None:
    """Of ranks 2, 1, 1 the two firsts; none where none is acceptable; unknown where all are tied
    and nobody said so.
    """
    assert ranked((2, 1, 1)).good == (False, True, True)
    assert ranked((2, 1, 1), none_acceptable=True).good == (False, False, False)
    assert ranked((1, 1)).good is None
    assert ranked((1, 1), none_acceptable=True).good == (False, False)
    assert ranked((1, 2), thumbs=(False, True)).good == (False, True)


def test_each_kind_has_its_loss() -> None:
    """Three equal scores of 0: each pair costs log 2, the order log 6 over its two choices, each
    label log 2; a tie of all is no label.
    """
    assert loss([0.0] * 3, ranked((1, 2, 3))) == pytest.approx(math.log(2))
    listwise = loss([0.0] * 3, ranked((1, 2, 3)), kind="listwise")
    assert listwise == pytest.approx(math.log(6) / 2)
    assert loss([0.0] * 3, ranked((1, 2, 3)), kind="binary") == pytest.approx(math.log(2))
    assert loss([3.0, 0.0], ranked((1, 1)), kind="binary") == 0.0


def test_a_rankings_weight_multiplies_its_loss(folder: Path) -> None:
    """Two rankings, of weights 1/2 and 2: their mean loss is (a / 2 + 2 b) / 2."""
    model, settings = RewardModel.start(folder, seed=1), RewardSettings()
    both = made_rankings(2, seed=1)
    a, b = (_rankings_loss(model, [one], settings).item() for one in both)
    weighed = [replace(one, weight=weight) for one, weight in zip(both, (0.5, 2.0), strict=True)]
    assert _rankings_loss(model, weighed, settings).item() == pytest.approx((a / 2 + 2 * b) / 2)


def test_margins_of_ranks_and_ratings_add_up() -> None:
    """Two ranks at .25 and two points at .25 ask for a gap of 1: at a gap of 1 it costs log 2."""
    ranking = ranked((1, 3), ratings=(5.0, 3.0))
    found = loss([1.0, 0.0], ranking, margin=0.25, rating_margin=0.25)
    assert found == pytest.approx(math.log(2))
    # Without ratings the ranks' half is left: log(1 + e^-.5) = .47408.
    found = loss([1.0, 0.0], ranked((1, 3)), margin=0.25, rating_margin=0.25)
    assert found == pytest.approx(0.4740770)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "binary", "margin": 0.1},
        {"kind": "listwise", "rating_margin": 0.1},
        {"kind": "binary", "center": 0.1},
        {"pessimism": 1.0},
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(wrong: dict[str, object]) -> None:
    """A margin belongs to pairs, a centre to comparisons, a deviation to several heads."""
    with pytest.raises(ValidationError, match=str([*wrong][-1])):
        RewardSettings.model_validate(wrong)


@pytest.mark.parametrize(
    ("rankings", "epochs", "size"), [(4, 40, 2), (22, 8, 2), (67, 3, 3), (133, 2, 4), (5000, 2, 4)]
)
def test_few_rankings_are_seen_more_often_in_smaller_steps(
    rankings: int, epochs: int, size: int
) -> None:
    """Two epochs in steps of four, but 160 rankings seen and 64 steps at least."""
    settings = RewardSettings(epochs=2, rankings_per_step=4)
    assert schedule(rankings, settings) == (epochs, size)


def test_a_score_is_half_the_last_token_and_half_the_mean(folder: Path) -> None:
    """Of the head's values on the reply's own three tokens, from a plain pass over the row."""
    model = RewardModel.start(folder, seed=1)
    with torch.no_grad():
        row = model.net.base_model(torch.tensor([[5, 6, 7, 11, 8]])).last_hidden_state
        values = model.head(row)[0, 2:, 0]
        score = model(collate([Group((5, 6), ((7, 11, 8),))]))[0]
    torch.testing.assert_close(score, (values.mean() + values[-1]) / 2, atol=1e-5, rtol=0)


def test_the_score_does_not_depend_on_padding_or_company(folder: Path) -> None:
    """Alone, beside a longer row, or behind another reply to its prompt, it scores the same."""
    model = RewardModel.start(folder, seed=1)
    prompt, reply = (5, 6), (7, 11)
    long = Group((5, 6, 7, 8, 9), ((10, 11, 12),))
    with torch.no_grad():
        alone = model(collate([Group(prompt, (reply,))]))[0]
        beside = model(collate([Group(prompt, (reply,)), long]))[0]
        behind = model(collate([Group(prompt, ((8, 9, 10), reply)), long]))[1]
    torch.testing.assert_close(alone, beside, atol=1e-5, rtol=0)
    torch.testing.assert_close(alone, behind, atol=1e-5, rtol=0)


def test_normalised_scores_have_mean_0_and_deviation_1(folder: Path) -> None:
    """On the samples that it was normalised on, twice over."""
    model = RewardModel.start(folder, seed=1)
    reference = [r.group for r in made_rankings(20, seed=3)]
    for _ in range(2):
        model.normalise_on(reference)
        scores = torch.tensor(model.score(reference))
        assert scores.mean().item() == pytest.approx(0.0, abs=1e-5)
        assert scores.std().item() == pytest.approx(1.0, abs=1e-4)


def test_a_saved_model_scores_as_before(folder: Path, tmp_path: Path) -> None:
    """Weights and normalisation come back from the folder."""
    model = RewardModel.start(folder, seed=1)
    reference = [r.group for r in made_rankings(4, seed=3)]
    model.normalise_on(reference)
    model.save(tmp_path / "reward")
    again = RewardModel.load(tmp_path / "reward")
    assert again.score(reference) == model.score(reference)
