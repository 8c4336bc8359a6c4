"""The product as its user has it: `rankloop up`, in a folder and on ports of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

Messages = Sequence[Mapping[str, str]]

START_SECONDS = 600  # a hub model may have to be fetched
ANSWER_SECONDS = 300


@dataclass(frozen=True)
class Reply:
    """One answer: its text, and where its record is."""

    text: str
    candidate: str
    version: str


@dataclass(frozen=True)
class Api:
    """The calls that people and operators make. Raises httpx.HTTPError where one fails."""

    client: httpx.Client

    def get(self, path: str) -> Any:
        return self._json(self.client.get(path))

    def post(self, path: str, **body: object) -> Any:
        return self._json(self.client.post(path, json=body))

    def replies(
        self,
        messages: Messages,
        *,
        model: str = "rankloop",
        n: int = 1,
        temperature: float = 1.0,
        seed: int | None = None,
        user: str | None = None,
        max_tokens: int = 128,
    ) -> list[Reply]:
        """`n` answers. With a `user` they are that person's conversation; without, nobody's.

        Nobody's are sent with `store: false`: what the judge asks must never become a prompt to
        learn from.
        """
        body = {
            "model": model,
            "messages": list(messages),
            "n": n,
            "temperature": temperature,
            "seed": seed,
            "max_tokens": max_tokens,
            **({"user": user} if user else {"user": "judge", "store": False}),
        }
        answer = self.post("/v1/chat/completions", **body)
        named = answer["rankloop"]
        return [
            Reply(choice["message"]["content"], candidate, named["version"])
            for choice, candidate in zip(answer["choices"], named["candidates"], strict=True)
        ]

    @staticmethod
    def _json(answer: httpx.Response) -> Any:
        if answer.is_error:
            raise httpx.HTTPStatusError(
                f"{answer.status_code} {answer.text[:300]}",
                request=answer.request,
                response=answer,
            )
        return answer.json()


@dataclass(frozen=True)
class Product:
    """A running Rankloop."""

    api: Api
    url: str
    page: str
    data: Path


@contextmanager
def running(data: Path, model: str, overrides: Mapping[str, str]) -> Iterator[Product]:
    """Starts it, waits until both addresses answer, and stops it in the end.

    `overrides` are settings by their dotted names. Raises RuntimeError with the log's end if it
    ends before it answers.
    """
    api_port, page_port = free_ports(2)
    flags = {"data": str(data), "model": model, "server.port": str(api_port)}
    flags |= {"ui.port": str(page_port), **overrides}
    command = [sys.executable, "-m", "rankloop", "up"]
    command += [f"--{name}={value}" for name, value in flags.items()]
    data.mkdir(parents=True, exist_ok=True)
    log = data / "rankloop.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment()
        )
    url, page = f"http://127.0.0.1:{api_port}", f"http://127.0.0.1:{page_port}"
    try:
        with client_of(url) as client:
            wait_for(process, (f"{url}/readyz", f"{page}/livez"), log)
            yield Product(Api(client), url, page, data)
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def client_of(url: str) -> httpx.Client:
    """For the calls of many people at once."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
    return httpx.Client(base_url=url, timeout=ANSWER_SECONDS, limits=limits, trust_env=False)


def environment() -> dict[str, str]:
    """The environment without the settings of some other Rankloop."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RANKLOOP_")}


def wait_for(process: subprocess.Popen[bytes], urls: Sequence[str], log: Path) -> None:
    """Until all of them answer. Raises RuntimeError with the log's end if they do not."""
    until = time.monotonic() + START_SECONDS
    waiting = list(urls)
    while waiting:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"it did not come up:\n{log.read_text()[-2000:]}")
        try:
            if httpx.get(waiting[0], timeout=2, trust_env=False).is_success:
                waiting.pop(0)
                continue
        except httpx.TransportError:
            pass
        time.sleep(0.2)
