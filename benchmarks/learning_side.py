"""A trainer in a process of its own, which takes one step each time that it is told to.

Told by a line on its stdin, it answers with a line of JSON on its stdout; between two steps it
waits and takes nothing of the machine, so that sides may take their steps in turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MARK = "step: "
"""Before a side's own lines, which may have others of its libraries between them."""


@dataclass(frozen=True)
class Work:
    """What every side does in a step: `prompts` of so many random tokens, a reply of `reply` tokens
    to each, `epochs` passes over them in minibatches of `minibatch` replies.
    """

    model: str
    prompts: int = 64
    prompt: int = 20
    reply: int = 32
    epochs: int = 4
    minibatch: int = 32
    steps: int = 6
    threads: int = 2
    device: str = "cpu"
    critic: str = "reward"

    @property
    def tokens(self) -> int:
        """Reply tokens of a step."""
        return self.prompts * self.reply


@dataclass
class Side:
    """A running trainer, and what its steps took."""

    name: str
    process: subprocess.Popen[str]
    log: Path
    steps: list[Mapping[str, float]]

    def step(self) -> Mapping[str, float]:
        """One step's figures: `seconds`, and `peak_mib` of the process so far. Raises RuntimeError
        with the end of its log.
        """
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found = self._answer()
        self.steps.append(found)
        return found

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(MARK):
                answer: dict[str, float] = json.loads(line.removeprefix(MARK))
                return answer
        raise RuntimeError(f"{self.name} ended:\n{self.log.read_text()[-3000:]}")


@contextmanager
def running(name: str, command: Sequence[str], work: Work, log: Path) -> Iterator[Side]:
    """A side that has loaded its models; it is killed in the end."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, json.dumps(asdict(work))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    side = Side(name, process, log, [])
    try:
        side._answer()  # it is ready
        yield side
    finally:
        process.kill()
        process.wait()


def serve(prepare: Callable[[Work], Callable[[], Mapping[str, float]]]) -> None:
    """The other end: prepare, then take a step for each line of stdin."""
    work = Work(**json.loads(sys.argv[1]))
    step = prepare(work)
    say({})
    for _ in sys.stdin:
        began = time.perf_counter()
        figures = step()
        took = time.perf_counter() - began
        say({"seconds": took, "peak_mib": peak_mib(), **figures})  # a side may time itself closer


def say(figures: Mapping[str, Any]) -> None:
    """A line to the other end."""
    sys.stdout.write(MARK + json.dumps(figures) + "\n")
    sys.stdout.flush()


def peak_mib() -> float:
    """Most memory of this process so far, as the kernel counts it."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
