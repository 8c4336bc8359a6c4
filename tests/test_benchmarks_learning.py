"""The comparison of trainers, in short: its figures mean nothing here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.learning_reward import comparisons_per_second, made_rankings, pairs_of
from tests.tiny_models import make_tiny


def test_the_comparison_measures_every_side(tmp_path: Path) -> None:
    """One step of four prompts on each: the last line is the record, and what the bare passes take
    is in it beside ours.
    """
    command = [sys.executable, "-m", "benchmarks.learning", "--steps", "1", "--prompts", "4"]
    command += ["--epochs", "1", "--threads", "1", "--rankings", "0", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    assert set(record["sides"]) == {"rankloop", "rankloop, a critic of its own", "bare passes"}
    for side in record["sides"].values():
        assert side["episodes/s"] > 0
        assert side["peak MiB"] > 100
    assert record["padding"] < 0.1
    assert "| rankloop |" in (tmp_path / "learning.md").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_its_preset_says_so() -> None:
    """And measures nothing."""
    command = [sys.executable, "-m", "benchmarks.learning", "--preset", "gpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "torch sees no GPU" in done.stderr


def test_a_ranking_of_four_is_six_pairs() -> None:
    """Each with its own two ranks."""
    [ranking] = made_rankings(1, 400)
    pairs = pairs_of(ranking)
    assert len(pairs) == 6
    assert pairs[-1].ranks == ranking.ranks[2:]


def test_both_ways_of_pairs_have_a_rate(tmp_path: Path) -> None:
    """Of a tiny model; which is quicker is not for a test to say."""
    rates = comparisons_per_second(make_tiny(tmp_path / "tiny"), 4)
    assert set(rates) == {"rankings", "pairs"}
    assert min(rates.values()) > 0
