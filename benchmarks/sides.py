"""The servers that are compared, each started as its own documentation says."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.product import free_ports
from benchmarks.serving_report import BEHIND
from benchmarks.streams import Exactly, Target, without_an_end
from benchmarks.vllm_engines import FLAGS

START_SECONDS = 900


@dataclass(frozen=True)
class Side:
    """A running server."""

    name: str
    target: Target
    process: subprocess.Popen[bytes]

    @property
    def peak_mib(self) -> float:
        """Most memory so far, of the process and those that it started."""
        return sum(_kib(pid, "VmHWM:") for pid in family(self.process.pid)) / 1024

    @property
    def resident_mib(self) -> float:
        """Memory now, of the same."""
        return sum(_kib(pid, "VmRSS:") for pid in family(self.process.pid)) / 1024


@contextmanager
def alone(side: Side, sides: Sequence[Side]) -> Iterator[None]:
    """Stops the others meanwhile: some look for work in a loop, and take a share of a core."""
    others = [pid for other in sides if other is not side for pid in family(other.process.pid)]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def rankloop(model: Path, dtype: str, data: Path, port: int) -> list[str]:
    command = [sys.executable, "-m", "rankloop", "server", f"--data={data}", f"--model={model}"]
    return [*command, f"--server.port={port}", f"--server.dtype={dtype}"]


def transformers(python: Path, model: Path, dtype: str, port: int) -> list[str]:
    command = [str(python.parent / "transformers"), "serve", str(model), "--continuous-batching"]
    # It would take nearly all memory for its cache, and leave the others none.
    command += ["--cb-max-memory-percent", "0.1"]
    return [*command, "--host", "127.0.0.1", "--port", str(port), "--dtype", dtype]


def vllm(python: Path, model: Path, dtype: str, port: int) -> list[str]:
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--dtype", dtype, "--port", str(port), "--max-model-len", "2048"]
    command += ["--gpu-memory-utilization", "0.25"]  # of the memory, on a CPU too
    return [*command, "--served-model-name", "bench"]


def on_vllm(python: Path, model: Path, dtype: str, data: Path, port: int) -> list[str]:
    """The server with an engine of its own, which it starts: one family, to be stopped together."""
    engine = vllm(python, Path("{folder}"), dtype, 0)
    engine[engine.index("--port") + 1] = "{port}"
    engine[engine.index("--served-model-name") + 1] = "{name}"
    command = rankloop(model, dtype, data, port)
    return [*command, "--server.sampler=vllm", f"--vllm.command={shlex.join([*engine, *FLAGS])}"]


def by_configuration(tokens: int) -> dict[str, Any]:
    """An answer of exactly so many tokens, as `transformers serve` knows it: no token ends it."""
    drawn = {"do_sample": True, "max_new_tokens": tokens, "eos_token_id": -1}
    return {"generation_config": json.dumps(drawn)}


@contextmanager
def running(
    model: Path, dtype: str, folder: Path, others: Mapping[str, Path]
) -> Iterator[list[Side]]:
    """Rankloop, and each of the others ("transformers", "vllm") by the Python that has it; with
    vLLM also Rankloop on it."""
    folder.mkdir(parents=True, exist_ok=True)
    own, beside, *ports = free_ports(2 + len(others))
    commands = {"rankloop": (rankloop(model, dtype, folder / "data", own), "rankloop", own)}
    if "vllm" in others:
        on = on_vllm(others["vllm"], model, dtype, folder / "data_vllm", beside)
        commands[BEHIND] = (on, "rankloop", beside)
    for name, port in zip(others, ports, strict=True):
        start = {"transformers": transformers, "vllm": vllm}[name]
        known_as = {"transformers": str(model), "vllm": "bench"}[name]
        commands[name] = (start(others[name], model, dtype, port), known_as, port)
    with ExitStack() as stack:
        sides = []
        for name, (command, known_as, port) in commands.items():
            exactly: Exactly = by_configuration if name == "transformers" else without_an_end
            target = Target(f"http://127.0.0.1:{port}", known_as, exactly)
            side = _started(name, command, target, folder / f"{name}.log")
            sides.append(stack.enter_context(side))
        yield sides


@contextmanager
def _started(name: str, command: Sequence[str], target: Target, log: Path) -> Iterator[Side]:
    """Waits until it answers; stops it in the end. Raises RuntimeError with the log's end."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    side = Side(name, target, process)
    try:
        _wait(side, log)
        yield side
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(side: Side, log: Path) -> None:
    """Until a short answer came: what is compiled or loaded at the first request is then done."""
    until = time.monotonic() + START_SECONDS
    messages = [{"role": "user", "content": "Hello!"}]
    body = {"model": side.target.model, "messages": messages, "max_tokens": 4}
    while True:
        if side.process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{side.name} did not come up:\n{log.read_text()[-3000:]}")
        try:
            url = f"{side.target.url}/v1/chat/completions"
            if httpx.post(url, json=body, timeout=120, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)


def family(pid: int) -> list[int]:
    """A process and all that it started, as the kernel lists them."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def _kib(pid: int, name: str) -> int:
    """One of the kernel's figures of a process."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in status if line.startswith(name)), 0)
