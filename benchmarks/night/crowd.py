"""Who uses the product meanwhile: people who chat, leave, rank and label, and an operator.

Each is a thread that goes on until it is told to stop; what it sees goes into the journal. All
through HTTP, as their programs would.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.night.journal import Journal
from benchmarks.people import Score, ranks_of

PATIENCE_S = 120.0
AGAIN_S = 1.0
BUSY = (429, 503)
"""What a server says that has too much to do, or is still reading its model: asked again."""


@dataclass(frozen=True)
class Place:
    """Where all of them are: the server's address, the journal, and the sign to stop."""

    url: str
    journal: Journal
    stop: threading.Event
    seed: int


@dataclass
class Person:
    """Somebody with a name and chance of their own, who does something every `pause_s` or so."""

    name: str
    place: Place
    pause_s: float

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.place.seed} {self.name}")
        self.journal, self.stop = self.place.journal, self.place.stop

    def run(self) -> None:
        """Until told to stop."""
        raise NotImplementedError

    def live(self, act: Callable[[httpx.Client], None]) -> None:
        """Do it again and again, with pauses; what fails is noted and is no end."""
        with httpx.Client(base_url=self.place.url, timeout=PATIENCE_S, trust_env=False) as client:
            while not self.stop.wait(self.chance.expovariate(1 / self.pause_s)):
                try:
                    act(client)
                except (httpx.HTTPError, ValueError) as error:
                    self.journal.failed(f"{type(error).__name__}: {error}"[:200])

    def question(self) -> list[dict[str, str]]:
        number = self.chance.randrange(10_000)
        forms = ("What is {0} plus 3?", "Tell me about the number {0}.", "I counted {0} birds.")
        return [{"role": "user", "content": self.chance.choice(forms).format(number)}]


class Chatter(Person):
    """Reads streams to their end; now and then leaves in the middle of one."""

    def run(self) -> None:
        self.live(self.chat)

    def chat(self, client: httpx.Client) -> None:
        body = {"model": "rankloop", "messages": self.question(), "stream": True}
        body |= {"max_tokens": 64, "user": self.name}
        leaves = self.chance.random() < 0.1
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            if answer.status_code in BUSY:
                return
            answer.raise_for_status()
            version = read_stream(answer, leaves)
        if version is None:
            self.journal.left += 1
        else:
            self.journal.answered(version)


def read_stream(answer: httpx.Response, leaves: bool) -> str | None:
    """The one version that gave it; None where the reader left. Raises ValueError for an answer
    that is cut, holds an error or names two versions.
    """
    versions = {answer.headers["x-rankloop-version"]}
    for number, line in enumerate(answer.iter_lines()):
        if leaves and number > 8:
            return None
        if line == "data: [DONE]":
            if len(versions) != 1:
                raise ValueError(f"one answer of {sorted(versions)}")
            return versions.pop()
        if line.startswith("data: "):
            frame = json.loads(line.removeprefix("data: "))
            if "error" in frame:
                raise ValueError(f"an error in mid-answer: {frame['error']['message']}")
            versions |= {frame["rankloop"]["version"]} if "rankloop" in frame else set()
    raise ValueError("an answer was cut")


@dataclass
class Ranker(Person):
    """Compares four answers, in the chat or from the queue, and ranks them by a taste."""

    score: Score

    def run(self) -> None:
        self.live(self.label if self.name.endswith("0") else self.compare)

    def compare(self, client: httpx.Client) -> None:
        messages = self.question()
        body = {"model": "rankloop", "messages": messages, "n": 4, "user": self.name}
        answer = client.post("/v1/chat/completions", json={**body, "max_tokens": 64})
        if answer.status_code in BUSY:
            return
        said = answer.raise_for_status().json()
        self.journal.answered(said["rankloop"]["version"])
        replies = [choice["message"]["content"] for choice in said["choices"]]
        self.rank(client, messages, replies, {"candidates": said["rankloop"]["candidates"]})

    def label(self, client: httpx.Client) -> None:
        answer = client.get("/v1/tasks/next", params={"user": self.name})
        if answer.status_code in BUSY:
            return
        task = answer.raise_for_status().json()["task"]
        if task is None:
            return
        names = [one["id"] for one in task["answers"]]
        about = {"task_id": task["id"], "candidates": names}
        self.rank(client, task["messages"], [one["text"] for one in task["answers"]], about)

    def rank(
        self,
        client: httpx.Client,
        messages: list[dict[str, str]],
        replies: list[str],
        about: dict[str, Any],
    ) -> None:
        """Until it is acknowledged: under one key it can be sent again."""
        key = f"{self.name}-{self.chance.getrandbits(64):x}"
        ranks = ranks_of([self.score(messages, reply) for reply in replies])
        body = {**about, "ranks": ranks, "user": self.name}
        while True:
            try:
                answer = client.post("/v1/rankings", json=body, headers={"Idempotency-Key": key})
                if answer.status_code not in BUSY:
                    kept = answer.raise_for_status().json()
                    self.journal.acknowledged[key] = str(kept["id"])
                    return
            except httpx.TransportError as error:
                self.journal.failed(f"a ranking: {type(error).__name__}")
            if self.stop.wait(AGAIN_S):
                return


class Operator(Person):
    """Goes back to an older version and forth again, so that swaps meet streams and rounds."""

    def run(self) -> None:
        self.live(self.decide)

    def decide(self, client: httpx.Client) -> None:
        versions = client.get("/v1/versions").raise_for_status().json()["data"]
        retired = [one["id"] for one in versions if one["state"] == "retired"]
        if not retired:
            return
        if self.chance.random() < 0.5:
            path, what = "/v1/versions/rollback", "rollback"
        else:
            id = self.chance.choice(retired)
            path, what = f"/v1/versions/{id}/promote", f"promote {id}"
        answer = client.post(path, json={"reason": "the night's operator"})
        if answer.status_code not in (*BUSY, 404, 409):
            answer.raise_for_status()
            self.journal.moves.append((self.journal.now_s, what))
