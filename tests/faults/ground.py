"""A product to break: a data folder with a tiny model and ranked answers, and its real
processes.
"""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.product import free_ports
from feedback.records import RoundInfo
from feedback.store import Store
from policy.versions import Versions
from rankloop_faults import FAULT_AT
from tests.faults.nursery import Child, Forked, afresh
from tests.feedback_databases import execute
from tests.test_learner_round import Product

RANKINGS = 90
SECRET = "sk-never-to-be-shown"
WAIT_S = 600.0
CONFIG = """
key = "{key}"
[server]
rows = 16
threads = 1
[learner]
rankings_per_round = 24
threads = 1
save_every = 1
idle_s = 0
[learner.reward]
learning_rate = 3e-3
epochs = 6
[learner.ppo]
steps = 2
prompts_per_step = 4
max_tokens = 10
check_every = 1
[learner.gate]
regression_prompts = 20
win_prompts = 20
"""


_opened: dict[str, Store] = {}


@dataclass
class Folder:
    """A data folder, on a model that lies beside it and that its copies share. `database` is its
    address where that is no file of the folder.
    """

    root: Path
    name: str
    database: str | None = None

    @property
    def data(self) -> Path:
        return self.root / self.name

    @property
    def url(self) -> str:
        return self.database or f"sqlite:///{self.data / 'rankloop.db'}"

    @property
    def versions(self) -> Versions:
        return Versions(self.data / "versions")

    @property
    def store(self) -> Store:
        """The record, opened once: opening looks whether the tables are up to date, and what is
        waited for is asked many times.
        """
        if self.url not in _opened:
            _opened[self.url] = Store.open(self.url)
        return _opened[self.url]

    def close(self) -> None:
        store = _opened.pop(self.url, None)
        if store is not None:
            store.close()

    def rounds(self) -> list[RoundInfo]:
        """Newest first."""
        return list(self.store.rounds())

    def copy(self, name: str) -> Folder:
        shutil.copytree(self.data, self.root / name)
        return Folder(self.root, name)

    def expire(self) -> None:
        """The lease has run out."""
        execute(self.url, "UPDATE lease SET expires_at = 0")

    @contextmanager
    def process(
        self,
        which: str,
        fault: str | None = None,
        *flags: str,
        preloaded: Mapping[str, str] | None = None,
    ) -> Iterator[Process]:
        """One of the product's processes, killed at the end if it has not ended. What is
        `preloaded` are variables that the interpreter must find when it starts.
        """
        command = [which, "--config", str(self.root / "set.toml"), f"--data={self.data}"]
        command += [f"--model={self.root / 'model'}", f"--database.url={self.url}", *flags]
        armed = {FAULT_AT: fault} if fault else {}
        log = self.data / f"{which}.log"
        start = Forked if which == "learner" and preloaded is None else afresh
        running = start(command, log, armed | dict(preloaded or {}))
        try:
            yield Process(running, log)
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait()


@dataclass
class Process:
    """A process that runs, and where it writes."""

    child: Child
    log: Path

    def send(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        self.send(signal.SIGTERM)
        return self.child.wait(WAIT_S)

    @property
    def dead(self) -> bool:
        return self.child.poll() is not None

    @property
    def said(self) -> str:
        """Its log, with those of processes before it."""
        return self.log.read_text(errors="replace")

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP holds it."""
        state = re.search(r"\) (\S)", Path(f"/proc/{self.child.pid}/stat").read_text())
        return state is not None and state[1] == "T"


def until(done: Callable[[], bool], what: str) -> None:
    """Waits; raises TimeoutError with what was waited for."""
    end = time.monotonic() + WAIT_S
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {WAIT_S:.0f} s")
        time.sleep(0.2)


class Starts:
    """The folders that rows begin with, each made when it is first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @cached_property
    def _fresh(self) -> Folder:
        return ranked(self._root)

    @cached_property
    def _improved(self) -> Folder:
        return at_publishing(self._fresh, "improved")

    def fresh(self) -> Folder:
        """Its learner starts a round at once."""
        return self._fresh

    def improved(self) -> Folder:
        """Its round has a policy to publish."""
        return self._improved


def ranked(root: Path) -> Folder:
    """A folder whose learner starts a round at once."""
    product = Product(root)
    product.rank(RANKINGS, seed=1)
    product.store.close()
    (root / "set.toml").write_text(CONFIG.format(key=SECRET))
    return Folder(root, "data")


def at_publishing(folder: Folder, name: str) -> Folder:
    """A copy whose learner was killed when it had improved the policy and was to publish it: what
    comes next comes soon. Its reward model was the first that it published.
    """
    copy = folder.copy(name)
    with copy.process("learner", "versions.save:kill:2") as learner:
        until(lambda: learner.dead, "the learner dies at its second publication")
    assert learner.child.poll() == -signal.SIGKILL, learner.said[-2000:]
    copy.expire()
    return copy


def port() -> int:
    return free_ports(1)[0]
