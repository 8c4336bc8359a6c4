"""Sweeps of the closed loop: which runs, and what becomes of their records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.curves import table
from benchmarks.sweep import Sweep, runs_of


def made_record(win: float) -> dict[str, Any]:
    points = [
        {
            "rankings": rankings,
            "learner_seconds": 2.0 * rankings,
            "win_rate": rate,
            "guard": 0.8,
            "kl": 1.0,
            "best_of": None if not rankings else 0.6,
        }
        for rankings, rate in ((0, 0.5), (64, 0.75), (200, win))
    ]
    return {
        "points": points,
        "outcomes": ["promoted", "rejected"],
        "win_rate": win,
        "ci_low": win - 0.05,
        "ci_high": win + 0.05,
        "ceiling": 0.9,
        "best_of_4": 0.6,
        "guard_before": 0.81,
        "guard_after": 0.8,
        "kl": 1.0,
        "learner_seconds": 400.0,
    }


def test_three_seeds_of_four_preferences_are_twelve_runs() -> None:
    """Each has a name of its own, and the first seed of all comes first."""
    runs = runs_of(Sweep.SEEDS, 3)
    assert len({run.name for run in runs}) == 12
    assert [run.seed for run in runs[:5]] == [0, 0, 0, 0, 1]


def test_a_run_changes_one_setting() -> None:
    """It is given to the closed loop as NAME=VALUE."""
    [_, rloo] = runs_of(Sweep.METHODS, 1)
    assert rloo.command(Path("out"), quick=False)[-2:] == ["--set", "learner.method=rloo"]


def test_the_table_says_how_far_a_run_came() -> None:
    """(.82 - .5) / (.9 - .5) is .8 of the way; at 64 rankings it stood at .75."""
    line = table([("asks back, seed 0", made_record(0.82))]).splitlines()[-1]
    assert line.startswith("| asks back, seed 0 | 0.75 | 0.82 (0.77 to 0.87) | 0.80 | 0.60 |")
    assert line.endswith("| 1 of 2 | 400 s |")


def test_what_has_a_record_is_not_run_again(tmp_path: Path) -> None:
    """Curves and table are made of the records that are there."""
    for run in runs_of(Sweep.METHODS, 1):
        (tmp_path / run.name).mkdir()
        (tmp_path / run.name / "closed_loop.json").write_text(json.dumps(made_record(0.82)))
    command = [sys.executable, "-m", "benchmarks.sweep", "methods", "--seeds", "1"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rloo, seed 0" in done.stdout
    assert (tmp_path / "methods.png").read_bytes().startswith(b"\x89PNG")
