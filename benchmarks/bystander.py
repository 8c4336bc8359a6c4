"""A client that never stops asking while versions come and go, and checks what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from benchmarks.product import Messages

PAUSE_SECONDS = 0.5


class BadAnswerError(Exception):
    """An answer that does not name one version throughout, or that does not end."""


@dataclass
class Bystander:
    """Asks by turns whole and streamed, twice a second; keeps the count and what failed."""

    url: str
    prompts: Sequence[Messages]
    asked: int = 0
    failures: list[str] = field(default_factory=list)
    candidates: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Runs for as long as the block does."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,), name="bystander")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, stop: threading.Event) -> None:
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as client:
            for number in count():
                if stop.wait(PAUSE_SECONDS):
                    return
                self.asked += 1
                try:
                    named = self._ask(client, number)
                except (httpx.HTTPError, BadAnswerError, KeyError, ValueError) as error:
                    self.failures.append(f"request {number}: {error!r}")
                    continue
                self.versions.add(named["version"])
                self.candidates.extend(named["candidates"])

    def _ask(self, client: httpx.Client, number: int) -> Mapping[str, Any]:
        body = {
            "model": "rankloop",
            "messages": list(self.prompts[number % len(self.prompts)]),
            "max_tokens": 128,
            "user": "bystander",
            "store": False,
        }
        return _streamed(client, body) if number % 2 else _whole(client, body)


def _whole(client: httpx.Client, body: Mapping[str, Any]) -> Mapping[str, Any]:
    answer = client.post("/v1/chat/completions", json=body).raise_for_status()
    named: Mapping[str, Any] = answer.json()["rankloop"]
    _same_version([named["version"], answer.headers["x-rankloop-version"]])
    return named


def _streamed(client: httpx.Client, body: Mapping[str, Any]) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = []
    with client.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as answer:
        answer.raise_for_status()
        frames = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    if not frames or frames[-1] != "[DONE]":
        raise BadAnswerError("the stream ended without [DONE]")
    for frame in map(json.loads, frames[:-1]):
        if "error" in frame:
            raise BadAnswerError(f"an error in the stream: {frame['error']}")
        if "rankloop" in frame:
            found.append(frame["rankloop"])
    if len(found) < 2:
        raise BadAnswerError("a stream names its version on its first and its last chunk")
    _same_version([*(named["version"] for named in found), answer.headers["x-rankloop-version"]])
    return found[-1]


def _same_version(versions: Sequence[str]) -> None:
    if len(set(versions)) != 1:
        raise BadAnswerError(f"one answer of several versions: {versions}")
