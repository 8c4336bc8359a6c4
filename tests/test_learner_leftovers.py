"""What rounds leave on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedback.store import Store
from learner.leftovers import clear_states, clear_versions
from policy.versions import Versions
from tests.tiny_models import make_tiny


def test_states_of_rounds_that_are_over_go(tmp_path: Path) -> None:
    """Round 1 was cancelled, 2 failed and 3 waits; 4 is of another database, and notes are
    somebody's.
    """
    store = Store.open(f"sqlite:///{tmp_path / 'rankloop.db'}")
    store.cancel_round(store.request_round(trigger="operator", actor="ann").id, "ann")
    store.request_round(trigger="operator", actor="ann")
    claim = store.claim_round("learner", 60)
    assert claim is not None
    store.finish_round(claim, outcome="failed", error="no luck")
    store.request_round(trigger="operator", actor="ann")
    for name in ("1", "2", "3", "4", "notes"):
        (tmp_path / "rounds" / name / "step-5").mkdir(parents=True)
    clear_states(store, tmp_path / "rounds")
    assert sorted(path.name for path in (tmp_path / "rounds").iterdir()) == ["3", "4", "notes"]
    store.close()


def test_no_round_was_ever_saved(tmp_path: Path) -> None:
    """There is no folder, and nothing happens."""
    store = Store.open(f"sqlite:///{tmp_path / 'rankloop.db'}")
    clear_states(store, tmp_path / "rounds")
    store.close()


def test_a_version_that_was_never_registered_goes_unless_another_record_gave_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """v1 was given here and not registered. As long as v2 lies there, which this record never gave,
    the folder is taken for another's, and both stay; once v2 was given too, both go.
    """
    store = Store.open(f"sqlite:///{tmp_path / 'rankloop.db'}")
    versions = Versions(tmp_path / "versions")
    manifest = versions.install_base(str(make_tiny(tmp_path / "model")))
    store.install_base(digest=manifest.digest)
    model = versions.load("v0")
    for id in (store.next_id("v"), "v2"):
        versions.publish(id, model, kind="full", parent="v0", round=1)
    clear_versions(store, versions)
    assert versions.ids() == ["v0", "v1", "v2"]
    assert "holds v2, which this record never gave" in caplog.text
    assert store.next_id("v") == "v2"
    clear_versions(store, versions)
    assert versions.ids() == ["v0"]
    store.close()
