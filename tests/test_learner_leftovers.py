"""What rounds leave on the disk."""

from __future__ import annotations

from pathlib import Path

from feedback.store import Store
from learner.leftovers import clear_states


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
