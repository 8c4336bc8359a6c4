"""The proxy's configuration, before servers that do exactly what a test needs."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from benchmarks.product import free_ports
from benchmarks.spread import caddy
from tests.composed import ROOT
from tests.server_running import eventually


@dataclass
class Upstream:
    """A server behind the proxy: streams one frame, and the second when it is told to."""

    ready: bool = True
    dies: bool = False
    go_on: threading.Event = field(default_factory=threading.Event)
    asked: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200 if upstream.ready else 503)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                upstream.asked.append({k.lower(): v for k, v in self.headers.items()})
                self.send_response(200)
                self.send_header("content-type", "application/octet-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"6\r\nfirst\n\r\n")
                self.wfile.flush()
                if upstream.dies:
                    self.close_connection = True
                    return
                upstream.go_on.wait(30)
                self.wfile.write(b"7\r\nsecond\n\r\n0\r\n\r\n")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def proxy(folder: Path, *servers: str) -> Iterator[httpx.Client]:
    """A client of Caddy before these servers."""
    api, page, nowhere = free_ports(3)
    environment = {
        **os.environ,
        "API_ADDRESS": f"http://127.0.0.1:{api}",
        "PAGE_ADDRESS": f"http://127.0.0.1:{page}",
        "SERVERS": " ".join(servers),
        "PAGE": f"127.0.0.1:{nowhere}",
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    command = [caddy(), "run", "--adapter", "caddyfile"]
    command += ["--config", str(ROOT / "deploy" / "kubernetes" / "Caddyfile")]
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{api}", timeout=30) as http:
            eventually(lambda: listens(api))
            yield http
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_frame_passes_while_the_server_still_works_on_the_next(tmp_path: Path) -> None:
    """The server sends the second only after the client has had the first; whatever the type."""
    upstream = Upstream()
    with (
        proxy(tmp_path, upstream.address) as http,
        http.stream("POST", "/v1/chat/completions", json={}) as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines) == "first"
        assert not upstream.go_on.is_set()
        upstream.go_on.set()
        assert list(lines) == ["second"]
    assert answer.headers["x-rankloop-server"] == upstream.address


def test_an_answer_whose_server_dies_does_not_look_whole(tmp_path: Path) -> None:
    """What came is passed on, and the connection breaks: an end as of a whole answer would be taken
    for one.
    """
    upstream = Upstream(dies=True)
    with (
        proxy(tmp_path, upstream.address) as http,
        http.stream("POST", "/v1/chat/completions", json={}) as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines) == "first"
        with pytest.raises(httpx.RemoteProtocolError):
            list(lines)


def test_a_server_that_is_gone_or_not_ready_gets_no_requests(tmp_path: Path) -> None:
    """Of three one refuses connections and one says 503: all of twelve requests are answered by
    the third, a POST's body with them.
    """
    gone, loading, good = f"127.0.0.1:{free_ports(1)[0]}", Upstream(ready=False), Upstream()
    good.go_on.set()
    loading.go_on.set()
    with proxy(tmp_path, gone, loading.address, good.address) as http:
        eventually(lambda: served(http) == good.address)
        before = len(loading.asked)
        assert {served(http) for _ in range(12)} == {good.address}
        assert len(loading.asked) == before
        loading.ready = True
        eventually(lambda: served(http) == loading.address)


def served(http: httpx.Client) -> str:
    """By whom a request was answered."""
    answer = http.post("/v1/rankings", content=b"x" * 100_000)
    assert answer.text == "first\nsecond\n", answer.text
    return answer.headers["x-rankloop-server"]


def test_nobody_says_that_they_are_another_address(tmp_path: Path) -> None:
    """The servers believe the proxy, so it must believe nobody: limits per address rest on it."""
    upstream = Upstream()
    upstream.go_on.set()
    with proxy(tmp_path, upstream.address) as http:
        http.post("/v1/rankings", content=b"", headers={"x-forwarded-for": "192.0.2.7"})
    assert upstream.asked[0]["x-forwarded-for"] == "127.0.0.1"
