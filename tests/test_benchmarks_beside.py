"""Serving beside learning, short: streams go on while a real round runs."""

from __future__ import annotations

import json
import subprocess
import sys


def test_both_times_have_figures() -> None:
    """Sixteen rankings and a small round: answers in either time, none of which failed."""
    command = [sys.executable, "-m", "benchmarks.beside", "--quick"]
    command += ["--rankings", "16", "--turns", "1", "--idle-s", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["ttft_p95_ratio"] > 0
    assert len(result["rounds"]) == 1
    for time in ("idle", "learning"):
        assert result[time]["answers"] > 0
        assert result[time]["failed"] == 0
