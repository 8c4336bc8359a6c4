"""A text classifier that is taught good and bad."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from learner.batching import Group
from learner.ranked_group import RankedGroup
from learner.reward_settings import RewardSettings, UnusableScorer
from learner.text_model import Taught, examine, load, save, start, teach
from tests.tiny_classifiers import WORDS, make_classifier

LIKED = "green"
SETTINGS = RewardSettings(kind="binary", learning_rate=3e-3, epochs=6)


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Knows nothing yet."""
    return str(make_classifier(tmp_path_factory.mktemp("text") / "bert", steps=0))


def made(count: int, seed: int) -> list[Taught]:
    """Four answers to each prompt; those with the liked word are good."""
    rng = random.Random(seed)
    found = []
    for i in range(count):
        texts = tuple(" ".join(rng.choices(WORDS, k=rng.randrange(2, 8))) for _ in range(4))
        ranks = tuple(1 if LIKED in text.split() else 2 for text in texts)
        group = RankedGroup(str(i), Group((1,), ((2,),) * 4), ranks, texts)
        found.append(Taught(group, [("hello", text) for text in texts]))
    return found


def test_it_learns_what_is_good(trunk: str) -> None:
    """Nine of ten pairs of unseen answers are told right."""
    model = start(trunk, seed=1)
    teach(model, made(120, seed=1), SETTINGS, seed=1, report=lambda *_: None)
    assert examine(model, made(60, seed=2)).accuracy > 0.9


def test_every_step_is_reported(trunk: str) -> None:
    """Eight rankings, twenty times over in steps of two: 1, 2, ... of 80."""
    seen: list[tuple[int, int]] = []
    groups = [taught for taught in made(40, seed=1) if taught.group.good is not None][:8]
    teach(start(trunk, 1), groups, SETTINGS, 1, lambda step, steps, _: seen.append((step, steps)))
    assert seen == [(step, 80) for step in range(1, 81)]


def test_a_taught_model_comes_back_from_the_folder(trunk: str, tmp_path: Path) -> None:
    """With its normalisation; a folder without one has none."""
    model = start(trunk, seed=1)
    exchanges = made(1, seed=1)[0].exchanges
    model.normalise_on(exchanges)
    save(model, tmp_path / "r1")
    again = load(tmp_path / "r1", "cpu")
    assert again is not None
    torch.testing.assert_close(again.scores(exchanges), model.scores(exchanges))
    assert load(tmp_path, "cpu") is None


def test_the_head_is_drawn_by_the_seed(trunk: str) -> None:
    """The classifier's own two labels are dropped for one output."""
    one, same, other = (start(trunk, seed).net.state_dict() for seed in (1, 1, 2))
    name = "classifier.weight"
    assert one[name].shape[0] == 1
    assert torch.equal(one[name], same[name])
    assert not torch.equal(one[name], other[name])


def test_a_trunk_needs_good_and_bad() -> None:
    """Orders are not what a classifier learns."""
    with pytest.raises(ValidationError, match="set `kind` to binary"):
        RewardSettings(trunk="m")


def test_a_trunk_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the setting."""
    with pytest.raises(UnusableScorer, match=r"learner\.reward\.trunk: .*nowhere"):
        start(str(tmp_path / "nowhere"), seed=1)
