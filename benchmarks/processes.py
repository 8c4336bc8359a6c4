"""Processes that a bench starts and ends: any command, and Rankloop's own one by one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.product import environment

Process = subprocess.Popen[bytes]

END_S = 60.0


@contextmanager
def process(command: list[str], log: Path, env: Mapping[str, str]) -> Iterator[Process]:
    """Runs until the block ends; what it prints is in `log`."""
    with log.open("wb") as file:
        started = subprocess.Popen(command, stdout=file, stderr=file, env=env)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(timeout=END_S)


@contextmanager
def rankloop(
    what: str, name: str, folder: Path, settings: Mapping[str, str], port: int | None = None
) -> Iterator[Process]:
    """A server or a learner with a data folder of its own, `folder/name`, and its log beside."""
    command = [sys.executable, "-m", "rankloop", what, f"--data={folder / name}"]
    command += [f"--{key}={value}" for key, value in settings.items()]
    command += [] if port is None else [f"--port={port}"]
    with process(command, folder / f"{name}.log", environment()) as started:
        yield started
