"""Whole rounds of two processes that the learner starts, and what becomes of them when one dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from learner.keeper import Keeper
from learner.progress import Progress
from tests.test_learner_resume import SET, STEPS, kill, ready, run
from tests.test_learner_round import Product, settings_in

SLOW = {"ppo": STEPS | {"learning_rate": 3e-5}}
"""AdamW's first steps are a rate long whatever the gradient is: where that is nothing but rounding,
two processes move a weight by so much elsewhere."""


FIGURES = {"reward_loss", "reward", "reply_tokens", "entropy", "kl", "value_loss"}


def weights(product: Product, id: str = "v1") -> dict[str, torch.Tensor]:
    return load_file(product.versions.folder(id) / "model.safetensors")


def assert_like(product: Product, straight: Product) -> None:
    """The version, the reward model, and at each step what was said and what it was worth, but for
    rounding.
    """
    for id in ("v1", "r1"):
        torch.testing.assert_close(weights(product, id), weights(straight, id), atol=1e-5, rtol=0)
    [round_], [other] = product.store.rounds(), straight.store.rounds()
    assert (round_.state, round_.outcome) == ("done", other.outcome)
    pairs = zip(product.store.metrics(1), straight.store.metrics(1), strict=True)
    for mine, its in pairs:
        assert (mine.stage, mine.step) == (its.stage, its.step)
        for name in FIGURES & its.values.keys():
            assert mine.values[name] == pytest.approx(its.values[name], rel=1e-3, abs=1e-3), name


def go_on_with(product: Product, processes: int) -> None:
    """The learner starts again, set to so many."""
    folder = product.settings.data.parent
    product.settings = settings_in(folder, **SET | SLOW, processes=processes)
    run(product)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """A round of one process that nobody kills."""
    product = ready(tmp_path_factory.mktemp("rounds") / "straight", **SLOW)
    run(product)
    return product


def test_a_rank_that_dies_ends_the_round_and_one_process_goes_on_with_it(
    tmp_path: Path, straight: Product, caplog: pytest.LogCaptureFixture
) -> None:
    """kill -9 of the second of two after the third step: the first hands the round back at once,
    and says which died. What was saved is whole, and one process comes to the same end.
    """
    product = ready(tmp_path / "product", **SLOW, processes=2)
    metrics = Progress.metrics

    def killing(self: Progress, at: int, values: Mapping[str, float]) -> None:
        metrics(self, at, values)
        if (self.name, at) == ("ppo", 3):
            [other] = multiprocessing.active_children()
            assert other.pid is not None
            os.kill(other.pid, signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "metrics", killing)
        product.keeper = Keeper(product.store, product.settings)
        product.keeper.look()
    [round_] = product.store.rounds()
    assert (round_.state, round_.attempts, product.store.learner().lease) == ("running", 1, None)
    assert "process 1 of the round ended with -9" in caplog.text
    assert multiprocessing.active_children() == []
    go_on_with(product, processes=1)
    assert_like(product, straight)


def test_two_processes_go_on_with_what_one_has_begun(tmp_path: Path, straight: Product) -> None:
    """Killed after its third step, and taken up by two."""
    product = ready(tmp_path / "product", **SLOW)
    kill(product, "ppo", 3)
    go_on_with(product, processes=2)
    assert_like(product, straight)
    assert multiprocessing.active_children() == []
