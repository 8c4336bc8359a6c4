"""The process itself: early answers, signals, exit codes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.server_running import WAIT_S, answers_ready, chat_body, eventually
from tests.tiny_models import make_tiny

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("process") / "model")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def process(*flags: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`rankloop server` with these flags; killed if it is still there at the end."""
    command = [sys.executable, "-m", "rankloop", "server", *flags]
    variables = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def test_early_requests_are_told_to_wait_and_sigterm_ends_streams_with_an_error(
    tmp_path: Path, model: Path
) -> None:
    """The socket listens before the model is loaded: 503 until then. On SIGTERM a stream that
    outlives the grace time of 0 s ends with an error frame, and the process with 0."""
    port = free_port()
    flags = ("--port", str(port), "--data", str(tmp_path / "data"), "--model", str(model))
    with (
        process(*flags, "--server.grace_s", "0") as running,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http,
    ):
        eventually(lambda: is_alive(http))
        early = http.post("/v1/chat/completions", json=chat_body())
        assert early.status_code == 503
        assert early.headers["retry-after"] == "1"
        assert early.json()["error"]["code"] == "service_unavailable"
        eventually(lambda: answers_ready(http))
        body = chat_body(n=16, max_tokens=220, stream=True, temperature=1.5)
        with http.stream("POST", "/v1/chat/completions", json=body) as stream:
            lines = stream.iter_lines()
            next(lines)
            running.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line]
        assert "error" in rest[-1]
        assert "shutting down" in rest[-1]
        assert "data: [DONE]" not in rest
        assert running.wait(10) == 0


def is_alive(http: httpx.Client) -> bool:
    try:
        return http.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_sigterm_while_loading_ends_with_0(tmp_path: Path, model: Path) -> None:
    """Even in the middle of the imports, within 10 s."""
    port = free_port()
    flags = ("--port", str(port), "--data", str(tmp_path / "data"), "--model", str(model))
    with process(*flags) as running, httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        eventually(lambda: is_alive(http))
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0


def test_model_that_cannot_be_served_ends_the_process(tmp_path: Path) -> None:
    """No such folder: the process says so by name and ends with 2, for other settings are
    needed."""
    nowhere = tmp_path / "nowhere"
    flags = ("--port", str(free_port()), "--data", str(tmp_path / "data"))
    with process(*flags, "--model", str(nowhere)) as running:
        assert running.wait(WAIT_S) == 2
        assert running.stdout is not None
        said = running.stdout.read()
    assert str(nowhere) in said
    assert "Traceback" not in said


@pytest.mark.parametrize("url", ["mysql://host/name", "postgresql://127.0.0.1:1/none"])
def test_database_that_cannot_be_opened_ends_the_process(
    tmp_path: Path, model: Path, url: str
) -> None:
    """One of another kind, and one that nobody listens for: a line without its address, and 2."""
    flags = ("--port", str(free_port()), "--data", str(tmp_path / "data"), "--model", str(model))
    with process(*flags, "--database.url", url) as running:
        assert running.wait(WAIT_S) == 2
        assert running.stdout is not None
        said = running.stdout.read()
    assert "the database cannot be opened" in said
    assert "Traceback" not in said


def test_model_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    """A model with a sliding window is there and loads, but its answers would be wrong: 2."""
    model = make_tiny(tmp_path / "windowed", "mistral", sliding_window=16)
    flags = ("--port", str(free_port()), "--data", str(tmp_path / "data"), "--model", str(model))
    with process(*flags) as running:
        assert running.wait(WAIT_S) == 2
        assert running.stdout is not None
        assert "sliding window of 16 tokens" in running.stdout.read()


def test_port_in_use_ends_the_process(tmp_path: Path, model: Path) -> None:
    """It cannot serve: it ends with 1 and says which address it is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        flags = ("--port", port, "--data", str(tmp_path / "data"), "--model", str(model))
        with process(*flags) as running:
            assert running.wait(WAIT_S) == 1
            assert running.stdout is not None
            assert f"cannot listen on 127.0.0.1:{port}" in running.stdout.read()
