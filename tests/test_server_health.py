"""/livez and /readyz: busy is not dead, dead is not ready."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from server.decode.worker import Worker
from server.health import room
from tests.server_running import Running, chat_body, eventually, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(
        settings_for(tmp_path / "data", make_tiny(tmp_path / "model"), queue=20)
    ) as server:
        yield server


def test_ready_server_says_what_it_checked(server: Running) -> None:
    """The model, the database and the decoding, each with a word on it."""
    answer = server.http.get("/readyz").json()
    assert (answer["status"], answer["version"], answer["problems"]) == ("ready", "v0", {})
    assert {name: check["ok"] for name, check in answer["checks"].items()} == {
        "model": True,
        "database": True,
        "decode": True,
    }


def test_busy_server_is_ready_and_full_one_says_so(server: Running) -> None:
    """Sixty requests of 100 tokens at once, twenty of them taken: the others are told to retry,
    and meanwhile both probes answer 200."""
    with ThreadPoolExecutor(60) as pool:
        asked = [pool.submit(server.chat, max_tokens=100, n=8) for _ in range(60)]
        eventually(lambda: server.serving.worker.rows > 0)
        assert server.http.get("/livez").status_code == 200
        assert server.http.get("/readyz").status_code == 200
        answers = [request.result() for request in asked]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert {answer.json()["error"]["code"] for answer in refused} == {"server_overloaded"}
    assert server.serving.in_flight == 0


def test_full_disk_is_said_and_answering_goes_on_when_there_is_room(server: Running) -> None:
    """SQLite's own limit of pages stands for the disk: no answer goes out that is not on record."""
    pages = {"limit": 1}  # a limit below the file's size holds it at its size

    def limit(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages['limit']}")

    event.listen(server.store._engine, "begin", limit)
    refused = next(a for a in (server.chat() for _ in range(100)) if a.status_code != 200)
    assert refused.status_code == 503
    assert "The database's disk is full" in refused.json()["error"]["message"]
    pages["limit"] = 2**30
    assert server.chat().status_code == 200


@pytest.mark.parametrize(("free", "ok"), [(2**20, True), (2**20 - 1, False), (0, False)])
def test_a_full_disk_is_not_ready(free: int, ok: bool) -> None:
    """Below the room of a last answer, with the bytes that are free."""
    check = room(free)
    assert check.ok is ok
    assert ok or f"{free} bytes are free" in check.detail


def test_death_of_the_decoding_process_ends_streams_and_is_seen(server: Running) -> None:
    """Killed in the middle of a stream: an error frame, 503 from then on, and whoever runs the
    server is told to end it."""
    told: list[str] = []
    server.serving.failed = told.append
    rest = stream_interrupted_by(server, signal.SIGKILL)
    assert '"error"' in rest[-1]
    eventually(lambda: told == ["the process that decodes has died"])
    answer = server.http.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["decode"]["ok"]) == (503, False)
    assert server.chat().status_code == 503


def test_a_hung_decoding_process_ends_streams_and_is_seen(server: Running) -> None:
    """Stopped in the middle of a stream, with a second where there are thirty: an error frame, 503
    from then on, and whoever runs the server is told to end it."""
    server.serving.stalled_after_s = 1.0
    told: list[str] = []
    server.serving.failed = told.append
    rest = stream_interrupted_by(server, signal.SIGSTOP)
    assert '"error"' in rest[-1]
    eventually(lambda: told == ["no decode step has ended for 2 s"])
    assert server.http.get("/readyz").status_code == 503
    assert server.chat().status_code == 503


def test_a_machine_that_was_paused_goes_on(server: Running) -> None:
    """Both processes stood still for three seconds, where two are a hang: the answer goes on, and
    nobody is told anything."""
    server.serving.stalled_after_s = 1.0
    told: list[str] = []
    server.serving.failed = told.append
    worker = decoder_of(server)
    pid, loop = worker.pid, worker._loop
    body = chat_body(max_tokens=50, stream=True, ignore_eos=True)
    with server.http.stream("POST", "/v1/chat/completions", json=body) as stream:
        lines = stream.iter_lines()
        next(lines)
        os.kill(pid, signal.SIGSTOP)
        loop.call_soon_threadsafe(time.sleep, 3.0)
        threading.Timer(3.5, os.kill, (pid, signal.SIGCONT)).start()
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert not told
    assert server.http.get("/readyz").status_code == 200


def decoder_of(server: Running) -> Worker:
    """The serving end of the process that decodes."""
    worker = server.serving.worker
    assert isinstance(worker, Worker)
    return worker


def stream_interrupted_by(server: Running, number: signal.Signals) -> list[str]:
    """What comes of a stream after its decoding process was sent this signal."""
    body = chat_body(n=8, max_tokens=200, stream=True, ignore_eos=True)
    with server.http.stream("POST", "/v1/chat/completions", json=body) as stream:
        lines = stream.iter_lines()
        next(lines)
        os.kill(decoder_of(server).pid, number)
        return [line for line in lines if line]
