"""A version with weights of its own on vLLM: an engine of its own, started beside."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest

from benchmarks.vllm_engines import ENVIRONMENT, START_S, command
from policy.vllm.settings import VllmSettings
from rankloop import Settings
from server.settings import ServerSettings
from tests.server_running import Running, eventually, running
from tests.vllm.conftest import CONTEXT, PYTHON
from tests.vllm.test_swaps import check

pytestmark = pytest.mark.vllm


def test_requests_over_a_change_of_engines(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None fails while the next version's engine starts, is warmed, and takes over; each answer's
    log-probabilities are those of its own version's weights."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    engine = command(PYTHON, "{folder}", "{port}", "{name}", CONTEXT)
    vllm = VllmSettings(command=shlex.join(engine))
    server = ServerSettings(port=0, sampler="vllm")
    settings = Settings(data=tmp_path / "data", model=str(model), vllm=vllm, server=server)
    with running(settings, START_S) as server_running:
        swapped(server_running)


def swapped(server: Running) -> None:
    id, over = server.publish(0.05, 1), Event()
    answers: list[httpx.Response] = []

    def ask_on() -> None:
        while not over.is_set():
            answers.append(server.chat(seed=len(answers)))

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask_on)
        try:
            reason = {"reason": "a test wants it"}
            assert server.http.post(f"/v1/versions/{id}/promote", json=reason).status_code == 200
            eventually(lambda: server.serving.current_id == id, within_s=START_S)
        finally:
            over.set()
        asking.result()
    answers += [server.chat(seed=seed) for seed in range(4)]
    assert check(server, answers) == {"v0", id}
