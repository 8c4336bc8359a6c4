"""Several heads on one trunk: their mean is the score, their deviation what is not known."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from learner.batching import Group, collate
from learner.ensemble import Ensemble
from learner.forward import hidden_MD
from learner.reward import train
from learner.reward_model import RewardModel
from learner.settings import RewardSettings
from tests.test_learner_reward import made_rankings
from tests.tiny_models import make_tiny

BATCH = collate([Group((5, 6), ((7, 11, 8), (9,)))])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_tiny(tmp_path / "policy", "llama", seed=0)
    return tmp_path / "policy"


def test_each_head_scores_a_reply_as_a_single_one_does() -> None:
    """States (1, 0) and (3, 2) of a reply: their mean (2, 1) and the last one, halved, are
    (2.5, 1.5); heads (1, 0) and (0, 2) make that 2.5 and 3.
    """
    ensemble = Ensemble(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2))
    hidden = torch.tensor([[9.0, 9.0], [1.0, 0.0], [3.0, 2.0]])
    found = ensemble(hidden, collate([Group((5,), ((7, 8),))]))
    assert found.tolist() == [[2.5, 3.0]]


def test_a_deviation_is_between_scores_less_their_heads_level() -> None:
    """Scores 2.5 and 3, levels .5 and 3: 2 and 0, of unbiased deviation sqrt(2)."""
    ensemble = Ensemble(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0.5, 3.0]))
    hidden = torch.tensor([[9.0, 9.0], [1.0, 0.0], [3.0, 2.0]])
    found = ensemble.spread(hidden, collate([Group((5,), ((7, 8),))]))
    assert found.tolist() == pytest.approx([2**0.5])


def test_a_head_is_pulled_to_its_own_start() -> None:
    """One head moved by (0, 3), the other not: (9 + 0) / 2."""
    ensemble = Ensemble(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2))
    assert ensemble.pull().item() == 0.0
    with torch.no_grad():
        ensemble.weight_HD[0, 1] += 3.0
    assert ensemble.pull().item() == 4.5


def test_the_score_is_the_mean_of_the_heads(folder: Path) -> None:
    """For each reply of a batch, before and after a step of training."""
    model = RewardModel.start(folder, 1, heads=3)
    for _ in range(2):
        with torch.no_grad():
            torch.testing.assert_close(model(BATCH), model.by_head(BATCH).mean(1))
        settings = RewardSettings(learning_rate=1e-2, heads=3)
        train(model, made_rankings(4, seed=1), settings, seed=1, report=lambda *_: None)


def test_a_pessimist_scores_lower_by_the_deviation(folder: Path) -> None:
    """Two deviations below the mean, in the unit of the normalised score."""
    model = RewardModel.start(folder, 1, heads=3)
    model.std = 0.5
    with torch.no_grad():
        mean_R = model(BATCH)
        deviation_R = model.by_head(BATCH).std(1)  # without levels, as long as they are 0
        model.pessimism = 2.0
        torch.testing.assert_close(model(BATCH), mean_R - 2 * deviation_R)


def test_a_pessimists_scores_are_normalised_too(folder: Path) -> None:
    """Mean 0 and deviation 1 on the reference, where every head's level is taken out."""
    model = RewardModel.start(folder, 1, heads=3)
    model.pessimism = 1.0
    reference = [r.group for r in made_rankings(20, seed=3)]
    for _ in range(2):
        model.normalise_on(reference)
        scores = torch.tensor(model.score(reference))
        assert scores.mean().item() == pytest.approx(0.0, abs=1e-4)
        assert scores.std().item() == pytest.approx(1.0, abs=1e-4)
        assert model.ensemble is not None
        with torch.no_grad():
            batches = [collate([group]) for group in reference]
            raw_RH = torch.cat([model.ensemble(hidden_MD(model.net, b), b) for b in batches])
        torch.testing.assert_close(model.ensemble.level_H, raw_RH.mean(0), atol=1e-4, rtol=1e-4)


def test_a_saved_ensemble_scores_as_before(folder: Path, tmp_path: Path) -> None:
    """Heads, levels, pessimism and normalisation come back from the folder."""
    model = RewardModel.start(folder, seed=1, heads=3)
    model.pessimism = 1.0
    reference = [r.group for r in made_rankings(4, seed=3)]
    model.normalise_on(reference)
    model.save(tmp_path / "reward")
    again = RewardModel.load(tmp_path / "reward")
    assert again.score(reference) == model.score(reference)


def test_other_programs_find_one_head(folder: Path, tmp_path: Path) -> None:
    """A classifier with one output, the mean head; its folder's safetensors file and no other lies
    beside the config, and no file is a pickle.
    """
    model = RewardModel.start(folder, seed=1, heads=3)
    model.save(tmp_path / "reward")
    net = AutoModelForSequenceClassification.from_pretrained(tmp_path / "reward")
    heads = load_file(tmp_path / "reward" / "heads" / "heads.safetensors")["weight"]
    assert net.config.num_labels == 1
    torch.testing.assert_close(net.score.weight.detach(), heads.mean(0, keepdim=True))
    files = {str(p.relative_to(tmp_path / "reward")) for p in (tmp_path / "reward").rglob("*.*")}
    assert files == {"config.json", "model.safetensors", "heads/heads.safetensors"}


def test_heads_differ_more_where_nothing_was_ranked(folder: Path) -> None:
    """By a tenth or more, on replies of tokens that no ranking held, against those of others."""
    model = RewardModel.start(folder, seed=1, heads=8)
    settings = RewardSettings(learning_rate=3e-3, epochs=3, heads=8)
    train(model, made_rankings(120, seed=1), settings, seed=1, report=lambda *_: None)
    seen = [ranking.group for ranking in made_rankings(60, seed=2)]
    strange = [_moved(group, 200) for group in seen]
    model.normalise_on(seen)
    assert _deviation(model, strange) > 1.1 * _deviation(model, seen)


def _moved(group: Group, by: int) -> Group:
    """The group with all of its replies' tokens replaced by others."""
    return Group(group.prompt, tuple(tuple(t + by for t in reply) for reply in group.replies))


@torch.no_grad()
def _deviation(model: RewardModel, groups: list[Group]) -> float:
    """The heads' mean deviation over all replies."""
    assert model.ensemble is not None
    batches = [collate([group]) for group in groups]
    found = [model.ensemble.spread(hidden_MD(model.net, b), b) for b in batches]
    return statistics.fmean(x for part in found for x in part.tolist())
