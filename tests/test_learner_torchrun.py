"""Rounds of two processes that torchrun has started: `torchrun --nproc-per-node 2 -m learner`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


@contextmanager
def learning(product: Product, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Two ranks with the product's settings, until the block ends."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "learner"]
    command += [f"--data={product.settings.data}", f"--model={product.settings.model}"]
    command += flags(product.settings.learner.model_dump(exclude_unset=True), "learner")
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def done(product: Product) -> int:
    """How many rounds have ended well; the others are not over."""
    return [round_.state for round_ in product.store.rounds()].count("done")


def await_(holds: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + ROUND_S
    while not holds():
        assert time.monotonic() < until, log.read_text()[-3000:]
        time.sleep(0.2)


def test_two_ranks_learn_round_after_round(tmp_path: Path) -> None:
    """The first round comes to what one process comes to; both ranks wait for the second; told to
    stop, both are gone at once.
    """
    straight = ready(tmp_path / "straight", **SLOW)
    run(straight)
    product, log = ready(tmp_path / "product", **SLOW), tmp_path / "log"
    with learning(product, log) as process:
        await_(lambda: done(product) == 1, log)
        assert_like(product, straight)
        product.store.request_round(trigger="operator", stages=None, actor="ada")
        await_(lambda: done(product) == 2, log)
        ranks = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        began = time.monotonic()
        process.terminate()
        process.wait(2 * STOP_S)
        assert time.monotonic() - began < STOP_S
        assert len(ranks) == 2
        assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)
    assert product.store.learner().lease is None
