"""A person's program: it asks and ranks, tries again as a careful one does, and notes what it was
told is kept.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.ground import SECRET, WAIT_S

HEADERS = {"authorization": f"Bearer {SECRET}"}
TRY_S = 20.0


@dataclass
class Client:
    """`mend` is called when nobody is there: it does what a supervisor would."""

    url: str
    mend: Callable[[], None] = lambda: None
    answers: dict[str, str] = field(default_factory=dict)
    rankings: list[int] = field(default_factory=list)

    def turn(self, name: str) -> str:
        """Two answers to one question, and which of them is better; the version that answered."""
        body = {"model": "rankloop", "messages": question(name), "max_tokens": 8, "n": 2}
        answer = self.sure("/v1/chat/completions", body)["rankloop"]
        self.answers |= dict.fromkeys(answer["candidates"], answer["version"])
        body = {"candidates": answer["candidates"], "ranks": [1, 2]}
        kept = self.sure("/v1/rankings", body, {"idempotency-key": f"turn {name}"})
        self.rankings.append(kept["id"])
        return str(answer["version"])

    def sure(self, path: str, body: Any, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """The same call until it succeeds."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            try:
                answer = self.post(path, body, headers)
                if answer.is_success:
                    return dict(answer.json())
                assert answer.status_code >= 500, answer.text
            except httpx.TransportError:
                self.mend()
            time.sleep(0.2)
        raise TimeoutError(path)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        """Once."""
        headers = HEADERS | (headers or {})
        return httpx.post(self.url + path, json=body, headers=headers, timeout=TRY_S)

    @contextmanager
    def stream(self, name: str, **asked: Any) -> Iterator[Iterator[dict[str, Any]]]:
        """The frames of long answers as they come; the last is `{"done": True}` if all came."""
        body = {"model": "rankloop", "messages": question(name), "stream": True}
        body |= {"max_tokens": 200, "ignore_eos": True, **asked}
        with httpx.stream(
            "POST", f"{self.url}/v1/chat/completions", json=body, headers=HEADERS, timeout=WAIT_S
        ) as answer:
            assert answer.is_success, answer.read()
            yield map(_frame, filter(None, answer.iter_lines()))

    def ready(self) -> str | None:
        """The version that is ready, if one is."""
        found = self.health()
        return str(found["version"]) if found and found["status"] == "ready" else None

    def health(self) -> dict[str, Any] | None:
        """What the server says of itself; None where nobody is there."""
        try:
            return dict(httpx.get(f"{self.url}/readyz", timeout=TRY_S).json())
        except httpx.TransportError:
            self.mend()
            return None


def question(name: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"What is {name} plus three?"}]


def _frame(line: str) -> dict[str, Any]:
    content = line.removeprefix("data: ")
    return {"done": True} if content == "[DONE]" else dict(json.loads(content))
