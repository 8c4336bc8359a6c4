"""Versions with weights of their own: an engine for each, started beside the one that answers."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.sides import family
from policy.vllm.settings import VllmSettings
from rankloop import Settings
from server.settings import ServerSettings
from tests.server_running import Running, eventually, running
from tests.tiny_models import make_tiny

COMMAND = f"{sys.executable} -m tests.fake_vllm {{folder}} {{port}} {{name}}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr("server.vllm.engines.AGAIN_S", 0.1)
    settings = Settings(
        data=tmp_path / "data",
        model=str(make_tiny(tmp_path / "model")),
        vllm=VllmSettings(command=COMMAND, engines=2),
        server=ServerSettings(port=0, sampler="vllm"),
    )
    with running(settings) as server:
        yield server
    assert running_engines() == {}


def running_engines() -> dict[str, int]:
    """What was started and runs, by the last part of its name; with its process."""
    found = {}
    for pid in family(os.getpid()):
        try:
            said = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "tests.fake_vllm" in said:
            found[said[-2].removeprefix("rankloop@")] = pid
    return found


def test_the_next_engine_is_started_beside_and_the_last_one_goes(server: Running) -> None:
    """With two at a time: v0's makes room for v2's, and each version answers as itself."""
    first, second = server.publish(0.05, 1), server.publish(0.05, 2)
    server.promote(first)
    assert server.chat().headers["x-rankloop-version"] == first
    assert set(running_engines()) == {"v0", first}
    server.promote(second)
    assert server.chat().headers["x-rankloop-version"] == second
    eventually(lambda: set(running_engines()) == {first, second})


def test_an_engine_that_dies_is_started_again(server: Running) -> None:
    """At the same address; whoever asks meanwhile waits, or is told to come again."""
    pid = running_engines()["v0"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: running_engines().get("v0", pid) != pid)
    assert server.chat().status_code == 200


def test_a_command_that_fails_is_no_version(tmp_path: Path, server: Running) -> None:
    """One whose engine ends at once cannot be asked for, and the live one answers on."""
    id = server.publish(0.05, 1)
    engines = server.serving.worker._engines  # type: ignore[attr-defined]
    engines._command = "false {folder} {port} {name}"
    answer = server.chat(model=f"rankloop@{id}")
    assert answer.status_code == 404
    assert "has ended" in answer.json()["error"]["message"]
    assert server.chat().status_code == 200
