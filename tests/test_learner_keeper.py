"""The learner between rounds."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from learner import schedule
from learner.progress import Progress
from learner.schedule import ticking
from tests.test_learner_round import Product


def test_a_few_rankings_start_a_round_once_the_oldest_has_waited(tmp_path: Path) -> None:
    """Eight are enough after the longest wait, here a tenth of a second."""
    product = Product(tmp_path, longest_wait_s=0.1)
    product.rank(8, seed=1)
    time.sleep(0.15)
    product.keeper.look()
    assert [r.trigger for r in product.store.rounds()] == ["waited"]


def test_seven_rankings_wait_for_company(tmp_path: Path) -> None:
    """Below eight, no wait is long enough."""
    product = Product(tmp_path, longest_wait_s=0.1)
    product.rank(7, seed=1)
    time.sleep(0.15)
    product.keeper.look()
    assert product.store.rounds() == []


@pytest.mark.parametrize(("count", "wait"), [(4, 600.0), (2, 0.1)])
def test_demonstrations_start_a_round(tmp_path: Path, count: int, wait: float) -> None:
    """As many as are set at once; half as many once the oldest has waited. It fine-tunes, and so
    they wait no more, whatever comes of it.
    """
    product = Product(tmp_path, demonstrations_per_round=4, longest_wait_s=wait)
    product.show(count)
    time.sleep(0.15)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.trigger == ("demonstrations" if count == 4 else "waited")
    assert (round_.state, round_.demonstrations, round_.rankings) == ("done", count, 0)
    assert product.store.waiting_demonstrations().count == 0


def test_one_demonstration_waits_for_company(tmp_path: Path) -> None:
    """Below half of what is set no wait is long enough."""
    product = Product(tmp_path, demonstrations_per_round=4, longest_wait_s=0.1)
    product.show(1)
    time.sleep(0.15)
    product.keeper.look()
    assert product.store.rounds() == []


def test_a_learner_that_cannot_train_this_model_says_so_and_takes_nothing(tmp_path: Path) -> None:
    """The round stays queued, and the record says what is missing; with v0 live again it runs."""
    product = Product(tmp_path, weights="lora")
    manifest = product.versions.publish("v1", product.model, kind="full", parent="v0", round=None)
    product.store.register_version("v1", digest=manifest.digest, parent="v0", kind="full")
    product.store.verify("v1", actor="ada", reason="a test")
    product.store.promote("v1", actor="ada", reason="a test")
    product.store.request_round(trigger="operator", stages=None, actor="ada")
    product.keeper.look()
    product.keeper.beat()
    assert product.store.rounds()[0].state == "queued"
    missing = product.store.learner().missing
    assert missing is not None
    assert missing.startswith("v1 holds full weights and learner.weights is lora")
    product.store.rollback(actor="ada", reason="a test")
    product.keeper.look()
    assert product.store.rounds()[0].state == "done"


def test_the_clock_beats_looks_and_knows_the_next_scheduled_run(tmp_path: Path) -> None:
    """Within seconds of its start it has beaten, taken the open round, and told the cron's hour."""
    product = Product(tmp_path, schedule="0 3 * * *", tick_s=0.1, lease_s=2.0)
    product.store.request_round(trigger="operator", stages=None, actor="ada")
    with ticking(product.keeper):
        until = time.monotonic() + 60
        while product.store.rounds()[0].state != "done" and time.monotonic() < until:
            time.sleep(0.1)
    assert product.store.rounds()[0].outcome == "needs_feedback"
    learner = product.store.learner()
    assert learner.state == "idle"
    assert learner.next_run_at is not None
    assert time.localtime(learner.next_run_at).tm_hour == 3


def test_a_cron_line_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """By the scheduler, before anything ticks."""
    product = Product(tmp_path, schedule="every night")
    with pytest.raises(ValueError, match="fields"), ticking(product.keeper):
        pass


def test_a_look_that_hangs_is_seen_though_the_heart_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that waits for a disk for 20 minutes; meanwhile the other thread's beats say so. One
    that comes back starts anew.
    """
    product = Product(tmp_path)
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def hang() -> None:
        clock[0] += 1200.0
        product.keeper.beat()

    product.keeper.look()
    monkeypatch.setattr(product.keeper, "_examine", hang)
    product.keeper.look()
    assert product.store.learner().still_s == 1200.0
    monkeypatch.setattr(product.keeper, "_examine", lambda: None)
    product.keeper.look()
    product.keeper.beat()
    assert product.store.learner().still_s == 0.0


def test_a_round_that_goes_on_is_no_standstill(tmp_path: Path) -> None:
    """Its steps count, not the look that began it long ago."""
    product = Product(tmp_path)
    product.store.request_round(trigger="operator", actor="ada")
    claim = product.store.claim_round("learner", 60.0)
    assert claim is not None
    product.keeper.looked -= 2000.0
    product.keeper.progress = Progress(product.store, claim)
    product.keeper.progress.stage("ppo", 10)
    assert product.keeper.still_s < 60.0


def test_a_clock_that_is_set_back_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an hour: what was due soon is due in an hour, until somebody sees it."""
    product = Product(tmp_path, tick_s=0.05)
    looked = threading.Event()
    monkeypatch.setattr(product.keeper, "look", looked.set)
    with ticking(product.keeper) as ticker:
        in_an_hour = datetime.now(UTC) + timedelta(hours=1)
        ticker._scheduler.modify_job("look", next_run_time=in_an_hour)
        looked.clear()
        hour_ago = schedule._ahead() - 3600.0
        monkeypatch.setattr(schedule, "_ahead", lambda: hour_ago)
        ticker.follow_clock()
        assert looked.wait(60.0)
