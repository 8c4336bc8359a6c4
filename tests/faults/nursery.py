"""The product's processes; the learner's are forked from one that has imported its libraries.

A start from nothing takes ten seconds of a processor to import torch and its like, and a table has
hundreds of learners. What is forked runs `rankloop` as the command does, under a process id of its
own, with its own log and environment. `afresh` starts an ordinary process: the server, from which
torch is hidden before anything is imported, and whatever needs a library preloaded.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

PRELOADED = ["rankloop", "learner.round", "learner.keeper", "learner.schedule"]


class Child(Protocol):
    """A process that was started, as subprocess knows it."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...


class Forked:
    """`rankloop` with these arguments, from the process that has the libraries."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._process = context.Process(target=_run, args=(arguments, log, dict(environment)))
        self._process.start()
        assert self._process.pid is not None, "it has been started"
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Its exit status, or minus the signal that ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("rankloop", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, sig: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


def afresh(
    arguments: Sequence[str], log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """The same by an interpreter of its own."""
    # The learner makes way for answers that people wait for; here nobody waits for anything else.
    code = "import os, sys; os.nice = lambda _: 0; import rankloop; rankloop.main(sys.argv[1:])"
    command = [sys.executable, "-c", code, *arguments]
    with log.open("ab") as file:
        return subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=os.environ | dict(environment)
        )


def _run(arguments: Sequence[str], log: Path, environment: dict[str, str]) -> None:
    """What the forked process does."""
    with log.open("ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    os.environ.update(environment)
    os.nice = lambda _: 0  # as in `afresh`
    import rankloop
    from rankloop_up import die_with_parent

    die_with_parent()
    rankloop.main(arguments)
