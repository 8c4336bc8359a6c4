"""What rewards a reply: the reward model, and what is weighed beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from learner.batching import Group, collate
from learner.experience import judged, unchecked
from learner.forward import hidden_MD
from learner.reader import Reader
from learner.reward_model import RewardModel
from learner.reward_settings import ScorerSettings
from learner.rewarder import Rewarder
from learner.rollout import Sampling, roll_out
from learner.scorers import Scorer
from policy.chat import Message
from policy.model import Model, load
from tests.tiny_classifiers import make_classifier
from tests.tiny_models import make_tiny

WORDS = ["paris", "you fine", "capital france paris", "hot"]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(make_tiny(tmp_path_factory.mktemp("rewarder") / "policy"))


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> ScorerSettings:
    folder = make_classifier(tmp_path_factory.mktemp("rewarder") / "bert")
    return ScorerSettings(name="paris", model=str(folder), label="names", weight=2.0, sees="pair")


def asked(policy: Model) -> Group:
    """Four answers to one question."""
    prompt = tuple(policy.chat.encode([Message("user", "hot")]))
    return Group(prompt, tuple(tuple(policy.chat.encode_reply(text)) for text in WORDS))


def rewarder_of(policy: Model, *scorers: ScorerSettings) -> Rewarder:
    own = RewardModel.start(policy.folder, seed=1)
    reader = Reader(policy.chat, {asked(policy).prompt: "hot"})
    return Rewarder(own, [Scorer.load(s) for s in scorers], reader)


def test_alone_the_reward_is_the_reward_models_score(policy: Model) -> None:
    """To the bit, and its one part is the ranking's."""
    rewarder, groups = rewarder_of(policy), [asked(policy)]
    with torch.no_grad():
        batch = collate(groups)
        hidden = hidden_MD(rewarder.own.net, batch)
        found = rewarder.rewards(groups, batch, hidden)
        assert found.total_R.tolist() == rewarder.own.scores(hidden, batch).tolist()
    assert [*found.parts] == ["ranking"]


def test_a_scorer_is_added_by_its_weight(policy: Model, scorer: ScorerSettings) -> None:
    """Twice its normalised log-odds of each text, as the classifier itself says them."""
    rewarder = rewarder_of(policy, scorer)
    rewarder.normalise_on([asked(policy)])
    [rows] = rewarder.score([asked(policy)])
    expected = rewarder.scorers[0].scores([("hot", text) for text in WORDS]).tolist()
    assert [row["paris"] for row in rows] == pytest.approx(expected, abs=1e-4)
    for row in rows:
        assert row["total"] == pytest.approx(row["ranking"] + 2 * row["paris"], abs=1e-5)
    assert sum(expected) == pytest.approx(0.0, abs=1e-4)
    assert min(expected[0], expected[2]) > max(expected[1], expected[3])


def test_a_saved_rewarder_scores_as_before(
    policy: Model, scorer: ScorerSettings, tmp_path: Path
) -> None:
    """Own model, scorers and all normalisations come back from the folder."""
    rewarder = rewarder_of(policy, scorer)
    rewarder.normalise_on([asked(policy)])
    rewarder.save(tmp_path / "r1")
    again = Rewarder.load(tmp_path / "r1", rewarder.reader)
    assert again.score([asked(policy)]) == rewarder.score([asked(policy)])


def test_the_parts_of_a_step_are_in_its_metrics(policy: Model, scorer: ScorerSettings) -> None:
    """Means over its replies; the reward by itself has none beside it."""
    prompts = [asked(policy).prompt]
    replies = roll_out(policy, prompts, Sampling(1.0, 6, seed=0, replies=3))
    of = [rewarder_of(policy), rewarder_of(policy, scorer)]
    alone, both = (judged(prompts, replies, r, unchecked, None).figures for r in of)
    assert not any(name.startswith("reward/") for name in alone)
    total = both["reward/ranking"] + 2 * both["reward/paris"]
    assert both["reward"] == pytest.approx(total, abs=1e-5)
