"""What people see of a running round."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from feedback.store import Store
from learner.progress import Progress


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    """Of a claimed round."""
    store = Store.open(f"sqlite:///{tmp_path / 'rankloop.db'}")
    store.request_round(trigger="operator", actor="ann")
    claim = store.claim_round("learner", 60)
    assert claim is not None
    return Progress(store, claim)


def test_what_is_left_is_reckoned_by_the_steps_of_this_attempt(progress: Progress) -> None:
    """Gone on after 8 of 10 steps, the ninth took 0.6 s: so long the tenth will take, and not a
    ninth of that.
    """
    progress.stage("ppo", 10, done=8)
    first = progress.store.round(1)
    assert (first.step, first.steps, first.eta_s) == (8, 10, None)
    time.sleep(0.6)
    progress.step(9, 10)
    assert (progress.store.round(1).eta_s or 0.0) > 0.5
