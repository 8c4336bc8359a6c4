"""Real vLLM engines on this machine's CPU, each a process that may be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.product import free_ports

START_S = 900.0
"""A busy machine compiles and imports for minutes."""
FLAGS = """
    --enable-lora --max-lora-rank 16
    --lora-target-modules q_proj k_proj v_proj o_proj gate_proj up_proj down_proj
    --enable-scale-out --logprobs-mode processed_logprobs --generation-config vllm --max-logprobs 64
""".split()
"""What docs/scaling.md has an engine started with; why each is told there."""
SMALL = "--dtype float32 --enforce-eager --max-num-seqs 16 --max-loras 4 --max-cpu-loras 16".split()
ENVIRONMENT = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}


class NotStarted(Exception):
    """An engine did not come up; the text says why."""


@dataclass
class Engine:
    """An engine's address, and how it is started: by a Python that has vLLM, on a model's folder,
    with room for `context` tokens."""

    python: Path
    port: int
    model: Path
    context: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Raises NotStarted where there is no such Python."""
        if not self.python.exists():
            raise NotStarted(f"there is no {self.python}: make .vllm/.installed")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command(self.python, self.model, self.port, "base", self.context),
                env={**os.environ, **ENVIRONMENT},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it answers, which the first time compiles something. Raises NotStarted."""
        assert self.process is not None, "it was started"
        deadline = time.monotonic() + START_S
        while not self.answers:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NotStarted(f"an engine did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.5)
        params = {"max_tokens": 2, "logprobs": 0, "prompt_logprobs": 0, "detokenize": False}
        body = {"model": "base", "token_ids": [1, 2], "sampling_params": params}
        url = f"{self.url}/inference/v1/generate"
        httpx.post(url, json=body, timeout=START_S, trust_env=False).raise_for_status()

    @property
    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def names(self) -> set[str]:
        """What it has, by name."""
        models = httpx.get(f"{self.url}/v1/models", timeout=30, trust_env=False).json()["data"]
        return {model["id"] for model in models}

    def signal(self, number: signal.Signals) -> None:
        """To the engine and the processes that it started."""
        assert self.process is not None, "it was started"
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process is not None, "it was started"
        self.process.wait()


def command(python: Path, model: Path | str, port: int | str, name: str, context: int) -> list[str]:
    """How an engine is started. What `vllm.command` fills in may stand for model, port and name."""
    begin = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1"]
    begin += ["--model", str(model), "--port", str(port), "--served-model-name", name]
    return [*begin, "--max-model-len", str(context), *FLAGS, *SMALL]


@contextmanager
def engines(
    python: Path, model: Path, count: int, context: int, folder: Path
) -> Iterator[Sequence[Engine]]:
    """So many on one model, which answer; killed in the end. Raises NotStarted."""
    made = [
        Engine(python, port, model, context, folder / f"vllm-{port}.log")
        for port in free_ports(count)
    ]
    try:
        for engine in made:
            engine.start()
        for engine in made:
            engine.wait()
        yield made
    finally:
        for engine in made:
            if engine.process is not None and engine.process.poll() is None:
                engine.kill()
