"""Rounds that are run again: what is on record makes the same version once more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feedback.records import RoundInfo
from learner.keeper import Keeper
from learner.plan import plan_of
from tests.test_learner_resume import STEPS, kill, ready
from tests.test_learner_round import Product, settings_in


@pytest.fixture
def product(tmp_path: Path) -> Product:
    """Ada and Bob have ranked, and round 1 has made v1 of it; then more has happened."""
    product = ready(tmp_path / "product", rankings_per_round=1000)
    product.rank(12, seed=4, person="bob")
    product.store.request_round(trigger="operator", stages=None, actor="eve")
    product.keeper.look()
    assert product.versions.ids() == ["v0", "v1", "r1"]
    if product.store.live().version == "v0":
        product.store.promote("v1", actor="eve", reason="a live version to be unlike the start")
    product.rank(6, seed=5)
    return product


def look(product: Product, **changed: object) -> RoundInfo:
    """A learner with these settings runs what is open; the last round."""
    product.settings = settings_in(product.settings.data.parent, lease_s=300.0, **changed)
    product.keeper = Keeper(product.store, product.settings)
    product.keeper.look()
    return product.store.rounds()[0]


def test_a_repeat_of_all_makes_the_same_weights(product: Product) -> None:
    """With other settings now, other rankings and another live version; and again of the repeat.
    It is gated as any other: against v1, which it equals.
    """
    store = product.store
    for repeated, made in ((1, "v2"), (2, "v3")):
        store.repeat_round(repeated, actor="eve")
        again = look(product, threads=1, rankings_per_round=1000, ppo=STEPS | {"steps": 1})
        assert (again.id, again.state, again.version_id) == (repeated + 1, "done", made), again
        assert again.rankings == store.round(1).rankings == 102
        assert store.version(made).digest == store.version("v1").digest
        assert store.version(made).parent == "v0"
        assert (
            product.versions.read(f"r{repeated + 1}").digest == product.versions.read("r1").digest
        )
        assert "win_rate" in [reason.check for reason in again.reasons]


def test_a_repeat_without_somebody_makes_another(product: Product) -> None:
    """Of ada's ninety rankings, and killed on the way it is resumed like any round."""
    again = product.store.repeat_round(1, without=["bob"], actor="eve")
    kill(product, "ppo", 2)
    done = look(product, threads=1, rankings_per_round=1000)
    assert (done.id, done.state, done.rankings) == (again.id, "done", 90), done.error
    assert {info.person for info in product.store.round_inputs(again.id)} == {"ada"}
    assert product.store.version("v2").digest != product.store.version("v1").digest


def test_settings_that_this_release_does_not_know_fail_the_repeat(product: Product) -> None:
    """The reason names the version whose manifest has them, and the setting."""
    manifest = product.versions.root / "v1" / "manifest.json"
    written = json.loads(manifest.read_text())
    written["settings"]["ppo"]["magic"] = 7
    manifest.write_text(json.dumps(written))
    product.store.repeat_round(1, actor="eve")
    failed = look(product, threads=1, rankings_per_round=1000)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error.startswith("CannotRepeat: the settings of v1 are none that this release")
    assert "ppo.magic" in failed.error


def test_without_a_version_settings_and_start_are_those_of_now(tmp_path: Path) -> None:
    """But the seed is the repeated round's: 5 and a thousand for round 1."""
    product = Product(tmp_path)
    product.rank(6, seed=2)
    store = product.store
    store.request_round(trigger="operator", stages=None, actor="eve")
    claim = store.claim_round("learner", 60)
    assert claim is not None
    store.use_rankings(claim, [ranked.ranking_id for ranked in store.training_rankings()])
    store.finish_round(claim, outcome="needs_feedback")
    again = store.repeat_round(1, actor="eve")
    settings = product.settings.learner.model_copy(update={"seed": 5})
    plan = plan_of(store, product.versions, settings, again.id)
    assert (plan.settings, plan.seed, plan.start) == (settings, 1005, None)
