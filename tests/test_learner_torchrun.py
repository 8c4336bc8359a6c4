"""Rounds of two processes that torchrun has started: `torchrun --nproc-per-node 2 -m learner`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.processes import process
from tests.server_running import eventually
from tests.test_learner_ranks_round import SLOW, assert_like
from tests.test_learner_resume import ready, run
from tests.test_learner_round import Product

ROUND_S = 300.0
STOP_S = 20.0
"""torchrun kills what has not ended 30 seconds after it was told to."""


def flags(settings: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """As they are given on the command line."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flags(value, f"{prefix}.{name}")
        else:
            yield f"--{prefix}.{name}={value}"


def command(product: Product) -> list[str]:
    """Two ranks with the product's settings."""
    settings = product.settings
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", "2", "-m", "learner"),
        *(f"--data={settings.data}", f"--model={settings.model}"),
        *flags(settings.learner.model_dump(exclude_unset=True), "learner"),
    ]


def done(product: Product) -> int:
    """How many rounds have ended well; the others are not over."""
    return [round_.state for round_ in product.store.rounds()].count("done")


def test_two_ranks_learn_round_after_round(tmp_path: Path) -> None:
    """The first round comes to what one process comes to; both ranks wait for the second; told to
    stop, both are gone at once.
    """
    straight = ready(tmp_path / "straight", **SLOW)
    run(straight)
    product = ready(tmp_path / "product", **SLOW)
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    with process(command(product), tmp_path / "log", one_thread) as torchrun:
        eventually(lambda: done(product) == 1, within_s=ROUND_S)
        assert_like(product, straight)
        product.store.request_round(trigger="operator", stages=None, actor="ada")
        eventually(lambda: done(product) == 2, within_s=ROUND_S)
        ranks = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()
        began = time.monotonic()
        torchrun.terminate()
        torchrun.wait(2 * STOP_S)
        assert time.monotonic() - began < STOP_S
        assert len(ranks) == 2
        assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)
    assert product.store.learner().lease is None
