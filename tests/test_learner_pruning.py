"""The files of versions that nobody needs go, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from learner import pruning
from policy.versions import Versions
from tests.test_learner_round import Product


@pytest.fixture
def product(tmp_path: Path) -> Product:
    """v1 was fine-tuned; v2 and v3 were made from it; all were live in turn, and v3 is."""
    product = Product(tmp_path)
    for id, parent, stage in (("v1", "v0", "sft"), ("v2", "v1", "ppo"), ("v3", "v2", "ppo")):
        manifest = product.versions.publish(
            id, product.model, kind="full", parent=parent, round=None
        )
        product.store.register_version(
            id,
            digest=manifest.digest,
            parent=parent,
            kind="full",
            state="verified",
            figures={"stage": stage},
        )
        product.store.promote(id, actor="ada", reason="better")
    product.store.promote("v2", actor="ada", reason="better after all")
    product.store.promote("v3", actor="ada", reason="no")
    return product


def folders(product: Product) -> list[str]:
    return product.versions.ids()


def test_the_version_that_rounds_are_held_near_stays(product: Product) -> None:
    """v3 is live, v2 was before it, and both go back to the fine-tuned v1."""
    pruning.prune(product.store, product.versions, 1)
    assert folders(product) == ["v0", "v1", "v2", "v3"]


def test_files_go_and_rows_stay(product: Product) -> None:
    """A later fine-tuned version makes v1 one like others."""
    manifest = product.versions.publish("v4", product.model, kind="full", parent="v0", round=None)
    product.store.register_version(
        "v4",
        digest=manifest.digest,
        parent="v0",
        kind="full",
        state="verified",
        figures={"stage": "sft"},
    )
    product.store.promote("v4", actor="ada", reason="shown")
    pruning.prune(product.store, product.versions, 1)
    assert folders(product) == ["v0", "v3", "v4"]
    assert {v.id for v in product.store.versions()} == {"v0", "v1", "v2", "v3", "v4"}


def test_what_a_killed_learner_left_goes_the_next_time(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on record first, so that the version cannot be brought back meanwhile."""

    class Killed(BaseException):
        pass

    def die(_versions: Versions, _id: str) -> None:
        raise Killed

    product.store.register_version(
        "v9", digest="9" * 64, parent="v0", kind="full", state="rejected"
    )
    product.versions.publish("v9", product.model, kind="full", parent="v0", round=None)
    product.store.register_version(
        "v10", digest="10" * 32, parent="v0", kind="full", state="verified"
    )
    with monkeypatch.context() as patched:
        patched.setattr(Versions, "remove", die)
        with pytest.raises(Killed):
            pruning.prune(product.store, product.versions, 1)
    assert product.store.version("v9").pruned
    assert "v9" in folders(product)
    pruning.prune(product.store, product.versions, 1)
    assert "v9" not in folders(product)


def test_the_learner_tidies_up_between_rounds(product: Product) -> None:
    """After its start and after each round, by `learner.keep_versions`."""
    product.keeper.settings = product.keeper.settings.model_copy(update={"keep_versions": 1})
    product.store.register_version(
        "v9", digest="9" * 64, parent="v0", kind="full", state="rejected"
    )
    product.versions.publish("v9", product.model, kind="full", parent="v0", round=None)
    product.store.register_version(
        "v10", digest="10" * 32, parent="v0", kind="full", state="verified"
    )
    product.keeper.look()
    assert folders(product) == ["v0", "v1", "v2", "v3"]
