"""Tests of the storm of rankings: a short one, and what would be a fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.storm import Rater, app, kept
from benchmarks.storm_rater import key_of, ranks_of
from feedback.store import Store
from tests.feedback_databases import a_generation


def test_short_storm_keeps_each_acknowledged_ranking_once() -> None:
    """Two raters, of whom one is killed: sixty rankings are there as they were sent."""
    command = ["--rankings", "60", "--raters", "2", "--kills", "2", "--seed", "1"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout.splitlines()[-1])
    assert (record["acknowledged"], record["kept_once"], record["lost"]) == (60, 60, 0)
    assert record["raters_killed"] == 2


@pytest.fixture
def rater(store: Store, tmp_path: Path) -> Rater:
    """One who had two rankings acknowledged, of answers that are stored."""
    store.record_generation(a_generation("c1"))
    found = Rater("ann", 2, tmp_path, ["c1-0,c1-1,c1-2,c1-3"])
    found.journal.write_text("\n\n")
    return found


def test_lost_ranking_is_told(store: Store, url: str, rater: Rater) -> None:
    """Both were acknowledged and one is stored: one is lost."""
    rank(store, rater, 0)
    assert kept(url, [rater]) == {"kept_once": 1, "lost": 1, "others": 0}


def test_ranking_under_a_key_that_nobody_sent_is_told(store: Store, url: str, rater: Rater) -> None:
    """All are stored, and one more that no journal knows of."""
    for number in range(3):
        rank(store, rater, number)
    assert kept(url, [rater]) == {"kept_once": 2, "lost": 0, "others": 1}


def test_other_ranks_than_were_sent_are_a_loss(store: Store, url: str, rater: Rater) -> None:
    """The second ranking's row has the third's ranks: 4 4 2 4 for 3 1 1 2."""
    assert ranks_of("ann", 1, 4) != ranks_of("ann", 2, 4)
    rank(store, rater, 0)
    rank(store, rater, 1, as_if=2)
    assert kept(url, [rater])["lost"] == 1


def rank(store: Store, rater: Rater, number: int, as_if: int | None = None) -> None:
    store.add_ranking(
        person=rater.name,
        candidates=rater.comparisons[0].split(","),
        ranks=ranks_of(rater.name, number if as_if is None else as_if, 4),
        idempotency_key=key_of(rater.name, number),
    )
