"""Slow clients: headers and bodies that do not come, answers that nobody reads."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from server import deadlines
from tests.openai_schemas import check
from tests.server_running import Running, chat_body, eventually, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("model"), max_position_embeddings=2048)


@pytest.fixture
def server(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """With half a second where people have ten and thirty."""
    for name in ("HEADERS_S", "BODY_S", "READ_S"):
        monkeypatch.setattr(deadlines, name, 0.5)
    with running(settings_for(tmp_path, model, wait_s=0.5, queue_share=2)) as server:
        yield server


def connected(server: Running, sent: bytes) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=5)
    connection.sendall(sent)
    return connection


def test_headers_that_do_not_come_end_the_connection(server: Running) -> None:
    """A line a second would hold it for ever."""
    began = time.monotonic()
    with connected(server, b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n") as slow:
        assert slow.recv(100) == b""
    assert 0.4 < time.monotonic() - began < 4


def test_headers_without_an_end_are_refused(server: Running) -> None:
    """64 KiB of them, however fast they come: nothing is kept of what follows."""
    with connected(server, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n") as slow:
        line = b"x-filler: " + b"x" * 8000 + b"\r\n"
        for _ in range(9):
            slow.sendall(line)
        answer = HTTPResponse(slow)
        answer.begin()
        assert (answer.status, answer.read()) == (400, b"The headers are longer than 65536 bytes.")


def test_the_body_of_a_refused_request_is_no_header(server: Running) -> None:
    """It is read to its end, however long, and the connection's next request is answered."""
    size = 2 * 2**20
    headers = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    )
    with connected(server, headers.encode()) as connection:
        refused = HTTPResponse(connection)
        refused.begin()
        check(json.loads(refused.read()), "ErrorResponse")
        assert refused.status == 413
        connection.sendall(b"x" * size + b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 200


def test_an_idle_connection_outlasts_its_client(server: Running) -> None:
    """httpx lets go of one after 5 s; if the server did so too, a request at that moment would be
    lost. The deadline for headers is not for a connection that has none on the way."""
    ask = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connected(server, ask) as connection:
        for _ in range(2):
            answer = HTTPResponse(connection)
            answer.begin()
            assert answer.status == 200
            answer.read()
            time.sleep(5.5)
            connection.sendall(ask)


def test_a_body_that_does_not_come_is_a_408(server: Running) -> None:
    """In OpenAI's shape: its client tries again by itself."""
    headers = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
        b"Content-Type: application/json\r\n\r\n{"
    )
    with connected(server, headers) as slow:
        answer = HTTPResponse(slow)
        answer.begin()
        check(json.loads(answer.read()), "ErrorResponse")
    assert answer.status == 408


def test_a_client_that_reads_nothing_is_let_go(server: Running) -> None:
    """Its rows are free once its buffers are full for too long."""
    body = json.dumps(chat_body(n=16, max_tokens=1000, stream=True, ignore_eos=True)).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    )
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = server.url.removeprefix("http://").split(":")
        slow.connect((host, int(port)))
        slow.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        eventually(lambda: server.serving.in_flight == 1)
        eventually(lambda: server.serving.in_flight == 0, within_s=20.0)
    eventually(lambda: server.serving.worker.rows == 0, within_s=1.0)


def test_one_person_has_a_share_of_the_queue(server: Running) -> None:
    """A third request of one person's is told to retry; another person's is answered."""
    body = chat_body(n=2, max_tokens=1000, stream=True, ignore_eos=True, user="ada")
    with (
        server.http.stream("POST", "/v1/chat/completions", json=body) as first,
        server.http.stream("POST", "/v1/chat/completions", json=body) as second,
    ):
        lines = [first.iter_lines(), second.iter_lines()]
        for each in lines:
            next(each)
        refused = server.chat(user="ada")
        check(refused.json(), "ErrorResponse")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert server.chat(user="bob").status_code == 200
    eventually(lambda: server.serving.in_flight == 0)


def test_a_request_does_not_wait_for_ever(server: Running) -> None:
    """All rows are taken for longer than the wait: 503, and the place in the queue is free."""
    body = chat_body(n=16, max_tokens=1000, stream=True, ignore_eos=True, user="ada")
    with (
        server.http.stream("POST", "/v1/chat/completions", json=body) as first,
        server.http.stream("POST", "/v1/chat/completions", json=body) as second,
    ):
        lines = [first.iter_lines(), second.iter_lines()]
        for each in lines:
            next(each)
        refused = server.chat(user="bob")
        check(refused.json(), "ErrorResponse")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert server.serving.in_flight == 2
    eventually(lambda: server.serving.worker.jobs == 0)
