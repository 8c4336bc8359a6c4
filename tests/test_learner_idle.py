"""The learner between rounds: stored answers are scored by the newest reward model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from feedback import rewards
from learner.batching import Group
from learner.reward_model import RewardModel
from tests.test_learner_round import Product


def publish(product: Product, seed: int = 0, heads: int = 1) -> str:
    """A reward model of random heads, as a round would publish it."""
    id = product.store.next_id("r")
    model = RewardModel.start(product.versions.folder("v0"), seed, heads)
    manifest = product.versions.publish(id, model.save, kind="reward", parent="v0", round=None)
    product.store.register_version(id, digest=manifest.digest, parent="v0", kind="reward")
    return id


def test_a_tick_scores_stored_answers(tmp_path: Path) -> None:
    """As the model itself does, the trunk asked by hand."""
    product = Product(tmp_path, idle_s=5.0)
    list(product.ask(3, seed=1))
    publish(product)
    product.keeper.look()
    stored = product.store.candidate("c1-2-1")
    model = RewardModel.load(product.versions.folder("r1"))
    [[score]] = model.score([Group(stored.prompt_ids, (stored.token_ids,))])
    assert product.store.rewards("c1-2-1") == {
        "r1": {"total": pytest.approx(score, abs=1e-5), "ranking": pytest.approx(score, abs=1e-5)}
    }
    assert product.store.unscored("r1", 99) == []


def test_a_tick_ends_after_its_share(tmp_path: Path) -> None:
    """With next to no time one pass of eight is made; the next tick goes on."""
    product = Product(tmp_path, idle_s=0.001)
    list(product.ask(6, seed=1))
    publish(product)
    left = []
    for _ in range(3):
        product.keeper.look()
        left.append(len(product.store.unscored("r1", 99)))
    assert left == [16, 8, 0]


def test_a_newer_model_scores_beside_the_older(tmp_path: Path) -> None:
    """What r1 said stays, as what it said then."""
    product = Product(tmp_path, idle_s=5.0)
    list(product.ask(1, seed=1))
    for seed in range(2):
        publish(product, seed)
        product.keeper.look()
    assert [*product.store.rewards("c1-0-0")] == ["r1", "r2"]


def test_no_time_scores_nothing(tmp_path: Path) -> None:
    """With `idle_s` 0 the learner leaves answers alone."""
    product = Product(tmp_path, idle_s=0.0)
    list(product.ask(1, seed=1))
    publish(product)
    product.keeper.look()
    assert product.store.rewards("c1-0-0") == {}


def test_a_model_whose_folder_is_gone_is_passed_over(tmp_path: Path) -> None:
    """Said once, and the learner ticks on."""
    product = Product(tmp_path, idle_s=5.0)
    list(product.ask(1, seed=1))
    shutil.rmtree(product.versions.folder(publish(product)))
    product.keeper.look()
    product.keeper.look()
    assert product.keeper.idle.unusable == "r1"
    assert product.store.rewards("c1-0-0") == {}


def test_the_model_is_let_go_before_a_round(tmp_path: Path) -> None:
    """Its memory is the round's then."""
    product = Product(tmp_path, idle_s=5.0)
    list(product.ask(1, seed=1))
    publish(product)
    product.keeper.look()
    assert product.keeper.idle.loaded is not None
    product.store.request_round(trigger="operator", stages=None, actor="ada")
    product.keeper.look()
    assert product.keeper.idle.loaded is None


def test_what_each_head_says_is_kept(tmp_path: Path) -> None:
    """Of a model of three heads; of one with a single head nothing is."""
    product = Product(tmp_path, idle_s=5.0)
    list(product.ask(1, seed=1))
    publish(product, heads=3)
    product.keeper.look()
    stored = product.store.candidate("c1-0-1")
    model = RewardModel.load(product.versions.folder("r1"))
    [[scores]] = model.heads_over([Group(stored.prompt_ids, (stored.token_ids,))])
    with product.store._reading() as session:
        by_head = rewards.by_head(session, ["c1-0-1"])
    assert by_head == {"c1-0-1": pytest.approx(scores.tolist(), abs=1e-5)}
