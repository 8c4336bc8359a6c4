"""The bench itself, short and real: the product starts, people rank, a round runs, figures come."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_bench_ends_with_its_figures(tmp_path: Path) -> None:
    """Eighteen rankings are two rounds; two are random; nobody's request fails on the way. People
    rank items of the queue, the last two of which are chosen from by what two heads say.
    """
    command = [sys.executable, "-m", "benchmarks.closed_loop", "--quick", "--queue"]
    command += ["--preference", "benchmarks/preferences.py:asks_back", "--rankings", "18"]
    command += ["--data", str(tmp_path / "data"), "--out", str(tmp_path)]
    for setting in ("method=rloo", "reward.heads=2"):
        command += ["--set", f"learner.{setting}"]
    command += ["--set", "server.pairing=informative"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    record = json.loads((tmp_path / "closed_loop.json").read_text())
    assert (result["rankings"], result["random_rankings"], result["rounds"]) == (18, 2, 2)
    assert result["failed_requests"] == 0
    assert result["bystander_requests"] > 0
    assert 0 <= result["ci_low"] <= result["win_rate"] <= result["ci_high"] <= 1
    assert 0.5 <= result["ceiling"] <= 1
    assert 0 <= result["guard_after"] <= 1
    assert result["largest_logprob_gap"] < 1e-4
    assert result["learner_seconds"] > 0
    assert record["points"][-1]["learner_seconds"] == result["learner_seconds"]
    assert 0 <= result["best_of_4"] <= 1
    assert {"ties", "guard_before", "kl", "reward_accuracy"} <= result.keys()
    assert [point["rankings"] for point in record["points"]] == [0, 16, 18]
    assert len(record["examples"]) == 10
    assert (tmp_path / "closed_loop.png").read_bytes().startswith(b"\x89PNG")
