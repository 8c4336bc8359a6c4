"""Rounds that are killed and taken up again end as if nothing had been."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from feedback.store import Store
from learner import parallel
from learner.keeper import Keeper
from learner.progress import Progress
from tests.feedback_databases import execute
from tests.test_learner_round import Product, settings_in

STEPS = {"steps": 4, "prompts_per_step": 4, "max_tokens": 10, "check_every": 2}
SET: dict[str, Any] = {"threads": 1, "save_every": 1, "lease_s": 300.0, "ppo": STEPS}
"""The lease is long, because nobody beats for the learners here."""

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "rloo on several heads": {
        "threads": 2,
        "save_every": 2,
        "method": "rloo",
        "reward": {"learning_rate": 3e-3, "epochs": 6, "heads": 3, "pessimism": 1.0},
    },
    "a moving reference": {
        "threads": 2,
        "ppo": STEPS | {"anchor_decay": 0.9, "kl_in": "reward", "epochs": 2, "minibatch": 8},
    },
}


class Killed(BaseException):
    """What no handler of the learner catches, as it catches no kill -9."""


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """As they were: a round sets them for its process."""
    halves, threads = parallel._halves, torch.get_num_threads()
    yield
    parallel._halves = halves
    torch.set_num_threads(threads)


def ready(folder: Path, **changed: Any) -> Product:
    """A product whose next look starts a round."""
    folder.mkdir()
    product = Product(folder, **SET | changed)
    product.rank(90, seed=1)
    return product


def run(product: Product) -> dict[str, Any]:
    """Let the open round run to its end, as a fresh learner would; what came of it."""
    product.keeper = Keeper(product.store, product.settings)
    product.keeper.look()
    return result(product)


def result(product: Product) -> dict[str, Any]:
    """All that a round leaves, but for when."""
    [round_] = product.store.rounds()
    assert round_.state == "done", round_.error
    versions = [*product.store.versions(), *product.store.versions(reward=True)]
    return {
        "outcome": round_.outcome,
        "reasons": round_.reasons,
        "figures": round_.reward,
        "versions": [(v.id, v.digest, v.parent, v.state, v.figures) for v in versions],
        "metrics": [(p.stage, p.step, p.values) for p in product.store.metrics(round_.id)],
        "folders": product.versions.ids(),
    }


@contextmanager
def killed_at(stage: str, step: int) -> Iterator[None]:
    """The learner dies when it has written this step's figures, or enters the stage where 0."""
    with pytest.MonkeyPatch.context() as patch:
        metrics, enter = Progress.metrics, Progress.stage

        def dying(self: Progress, at: int, values: Mapping[str, float]) -> None:
            metrics(self, at, values)
            if (self.name, at) == (stage, step):
                raise Killed

        def dying_early(self: Progress, name: str, steps: int = 1, done: int = 0) -> None:
            enter(self, name, steps, done)
            if (name, 0) == (stage, step):
                raise Killed

        patch.setattr(Progress, "metrics", dying)
        patch.setattr(Progress, "stage", dying_early)
        with pytest.raises(Killed):
            yield


def kill(product: Product, stage: str, step: int) -> None:
    """Let a learner die there; its lease runs out."""
    with killed_at(stage, step):
        run(product)
    expire(product)


def expire(product: Product) -> None:
    url = product.settings.database.resolve(product.settings.data)
    execute(url, "UPDATE lease SET expires_at = 0")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a round comes to that nobody kills."""
    return run(ready(tmp_path_factory.mktemp("rounds") / "straight"))


def test_a_round_leaves_what_is_compared(straight: dict[str, Any]) -> None:
    """A version with reasons, and figures of every step."""
    assert straight["outcome"] in {"promoted", "rejected"}
    assert straight["folders"] == ["v0", "v1", "r1"]
    assert [step for stage, step, _ in straight["metrics"] if stage == "ppo"] == [1, 2, 3, 4]


DEATHS = [[("reward", 4), ("ppo", 1)], [("ppo", 3), ("gate", 0)]]
"""Before there is any state, and before a first step is saved; between steps, and after the last.
"""


@pytest.mark.parametrize("deaths", DEATHS)
def test_a_round_killed_at_any_point_ends_as_one_that_was_not(
    tmp_path: Path, straight: dict[str, Any], deaths: list[tuple[str, int]]
) -> None:
    """Ids, digests, figures, reasons: all are equal, and so is what it learned from, although more
    was asked and ranked after each death. No state is left.
    """
    product = ready(tmp_path / "product")
    for number, death in enumerate(deaths):
        kill(product, *death)
        product.rank(6, seed=10 + number)
    assert run(product) == straight
    assert product.store.round(1).rankings == 90
    assert list((product.settings.data / "rounds").iterdir()) == []


@pytest.mark.parametrize("name", SETTINGS)
def test_so_does_a_round_of_any_kind(tmp_path: Path, name: str) -> None:
    """Killed once, between a look and the next, on two threads."""
    undisturbed = run(ready(tmp_path / "undisturbed", **SETTINGS[name]))
    product = ready(tmp_path / "product", **SETTINGS[name])
    kill(product, "ppo", 3)
    assert run(product) == undisturbed


def test_a_resumed_round_does_not_train_again_what_is_there(tmp_path: Path) -> None:
    """Killed in the gate, it has figures to write of no step any more."""
    product = ready(tmp_path / "product")
    kill(product, "gate", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "metrics", lambda *_: pytest.fail("a step was taken"))
        run(product)


def test_a_damaged_state_starts_over_to_the_same_end(
    tmp_path: Path, straight: dict[str, Any]
) -> None:
    """One bit of the policy, and the reward models cut short."""
    product = ready(tmp_path / "product")
    kill(product, "ppo", 3)
    folder = product.settings.data / "rounds" / "1"
    tensors = folder / "step-2" / "tensors.safetensors"
    content = bytearray(tensors.read_bytes())
    content[-1] ^= 1
    tensors.write_bytes(content)
    judges = folder / "judges" / "tensors.safetensors"
    judges.write_bytes(judges.read_bytes()[:-8])
    assert run(product) == straight


def test_other_settings_start_over_and_leave_no_figure_of_before(tmp_path: Path) -> None:
    """Killed after three of four steps and set to two, it has two, as if it had always been so."""
    fewer = {"ppo": STEPS | {"steps": 2}}
    undisturbed = run(ready(tmp_path / "undisturbed", **fewer))
    product = ready(tmp_path / "product")
    kill(product, "ppo", 3)
    product.settings = settings_in(tmp_path / "product", **SET | fewer)
    assert run(product)["metrics"] == undisturbed["metrics"]
    assert product.versions.read("v1").digest == undisturbed["versions"][1][1]


def test_another_live_version_starts_over_from_it(tmp_path: Path) -> None:
    """Promoted by a person between the death and the next attempt."""
    product = ready(tmp_path / "product")
    kill(product, "ppo", 3)
    id = product.store.next_id("v")
    model = product.versions.load("v0")
    manifest = product.versions.publish(id, model, kind="full", parent="v0", round=None)
    product.store.register_version(id, digest=manifest.digest, parent="v0", kind="full")
    product.store.verify(id, actor="ada", reason="as good as v0")
    product.store.promote(id, actor="ada", reason="as good as v0")
    assert run(product)["reasons"][1].text.startswith(f"From {id}. Step")


def learn(folder: Path) -> None:
    """A learner process on a product's data."""
    settings = settings_in(folder, **SET)
    Keeper(Store.open(settings.database.resolve(settings.data)), settings).look()


def test_a_learner_that_is_killed_is_taken_over(tmp_path: Path, straight: dict[str, Any]) -> None:
    """kill -9 as soon as a first step is saved, wherever the process is by then."""
    product = ready(tmp_path / "product")
    process = multiprocessing.get_context("spawn").Process(
        target=learn, args=(tmp_path / "product",)
    )
    process.start()
    saved, until = product.settings.data / "rounds" / "1", time.monotonic() + 120
    while not list(saved.glob("step-*")) and time.monotonic() < until:
        time.sleep(0.002)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    expire(product)
    assert run(product) == straight
    assert product.store.rounds()[0].state == "done"
