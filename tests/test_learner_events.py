"""A round's figures as TensorBoard reads them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from feedback.records import MetricPoint
from learner.events import Events, lacking
from tests.test_learner_resume import kill, ready, result, run


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Each figure's steps and values."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_figures_stand_under_their_stage(tmp_path: Path) -> None:
    """At their step and hour, readable before the writer ends; what is no number is left out."""
    before = MetricPoint("reward", 4, 5.0, {"reward_loss": 0.5, "lost": None})
    events = Events(tmp_path / "round-7", [before])
    events.write("ppo", 1, {"kl": 0.25})
    assert read(tmp_path / "round-7") == {"reward/reward_loss": [(4, 0.5)], "ppo/kl": [(1, 0.25)]}
    events.close()
    reader = EventAccumulator(str(tmp_path / "round-7"))
    reader.Reload()
    assert reader.Scalars("reward/reward_loss")[0].wall_time == 5.0


def test_a_step_is_written_once(tmp_path: Path) -> None:
    """Neither again, nor by whoever opens the folder after an interruption."""
    first = Events(tmp_path / "round-7", [])
    first.write("ppo", 1, {"kl": 0.25})
    first.write("ppo", 2, {"kl": 0.5})
    second = Events(tmp_path / "round-7", [MetricPoint("ppo", 1, 5.0, {"kl": 0.25})])
    second.write("ppo", 1, {"kl": 0.75})
    second.close()
    first.close()
    assert read(tmp_path / "round-7") == {"ppo/kl": [(1, 0.25)]}


def test_a_resumed_rounds_events_are_its_rows(tmp_path: Path) -> None:
    """Killed at the third step's figures: each step stands once, and of before nothing else."""
    product = ready(tmp_path / "product", tensorboard=tmp_path / "events")
    kill(product, "ppo", 3)
    run(product)
    rows = [row for row in result(product)["metrics"] if row[0] == "ppo"]
    steps, values = zip(*read(tmp_path / "events" / "round-1")["ppo/kl"], strict=True)
    assert steps == (1, 2, 3, 4)
    assert list(values) == pytest.approx([row["kl"] for _, _, row in rows])


def test_what_must_be_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the setting asks for it."""
    assert lacking(tmp_path) is None
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert lacking(None) is None
    assert "pip install tensorboard" in (lacking(tmp_path) or "")
