"""Requests over several servers, in simulated time: how long they wait, and how fast they are read.

1. A server answers so many streams at a time, all equally fast; what it yields in all grows with
   their number as it was measured (`Speed`). Who comes later waits in line.
2. A prompt takes its share as well: a token of it costs what a token of the fullest batch does,
   which is an upper bound, as prompts go through many tokens at a time.
3. A request goes to the server with the fewest, as the proxy sends it.

It knows nothing of prefixes that are cached, and of networks.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

EPSILON = 1e-9


@dataclass(frozen=True)
class Ask:
    """A request at a time (s), with tokens of its prompt and of its answer."""

    at: float
    prompt: int
    answer: int


@dataclass(frozen=True)
class Speed:
    """Tokens per second of a server at so many streams, rising; between them a straight line."""

    points: tuple[tuple[int, float], ...]

    def at(self, streams: int) -> float:
        place = bisect_right(self.points, (streams, float("inf")))
        if place == 0:
            return self.points[0][1] * streams / self.points[0][0]
        if place == len(self.points):
            return self.points[-1][1]
        (less, slow), (more, fast) = self.points[place - 1], self.points[place]
        return slow + (fast - slow) * (streams - less) / (more - less)

    @property
    def prompts(self) -> float:
        """Tokens of prompts per second."""
        return self.points[-1][1]


@dataclass
class Work:
    """A request on a server: what is left of it."""

    ask: Ask
    prompt: float
    answer: float
    first_at: float = 0.0
    ended_at: float = 0.0

    @property
    def waited(self) -> float:
        """Seconds to the first token."""
        return self.first_at - self.ask.at

    @property
    def pace(self) -> float:
        """Tokens per second of the answer, from the first one on."""
        return self.ask.answer / max(self.ended_at - self.first_at, EPSILON)


@dataclass
class Server:
    """One server up to `now`."""

    speed: Speed
    rows: int
    now: float = 0.0
    busy: float = 0.0
    running: list[Work] = field(default_factory=list)
    waiting: deque[Work] = field(default_factory=deque)

    @property
    def load(self) -> int:
        return len(self.running) + len(self.waiting)

    def take(self, work: Work) -> None:
        (self.running if len(self.running) < self.rows else self.waiting).append(work)

    def advance(self, until: float) -> None:
        """Do what is done by then: from one end of a prompt, or of an answer, to the next."""
        while self.running:
            step = min(map(self._left, self.running))
            if self.now + step > until:
                self._pass(until - self.now)
                break
            self._pass(step)
            self._settle()
        self.now = max(self.now, until) if until < float("inf") else self.now

    def _rates(self) -> tuple[float, float]:
        """Tokens per second of one stream: of its prompt, and of its answer."""
        streams = len(self.running)
        return self.speed.prompts / streams, self.speed.at(streams) / streams

    def _left(self, work: Work) -> float:
        """Seconds to the end of the prompt, or of the answer, as things stand."""
        prompts, answers = self._rates()
        return work.prompt / prompts if work.prompt > EPSILON else work.answer / answers

    def _pass(self, seconds: float) -> None:
        prompts, answers = self._rates()
        for work in self.running:
            if work.prompt > EPSILON:
                work.prompt -= seconds * prompts
            else:
                work.answer -= seconds * answers
        self.now += seconds
        self.busy += seconds

    def _settle(self) -> None:
        """Note which prompts and answers have just ended, and let others in."""
        for work in self.running:
            if work.prompt <= EPSILON and not work.first_at:
                work.prompt, work.first_at = 0.0, self.now
            if work.first_at and work.answer <= EPSILON:
                work.ended_at = self.now
        self.running = [work for work in self.running if not work.ended_at]
        while self.waiting and len(self.running) < self.rows:
            self.running.append(self.waiting.popleft())


@dataclass(frozen=True)
class Outcome:
    """What people saw, and how busy the servers were (0 to 1)."""

    works: Sequence[Work]
    busy: float

    def waited(self, share: float) -> float:
        """Seconds to the first token that this share of the requests did not exceed."""
        return quantile([work.waited for work in self.works], share)

    def pace(self, share: float) -> float:
        """Tokens per second that all but this share of the answers had."""
        return quantile([work.pace for work in self.works], share)


def simulate(asks: Sequence[Ask], servers: int, speed: Speed, rows: int) -> Outcome:
    """Every request to its end."""
    all_of_them = [Server(speed, rows) for _ in range(servers)]
    works = []
    for ask in asks:
        for server in all_of_them:
            server.advance(ask.at)
        work = Work(ask, max(ask.prompt, EPSILON * 2), ask.answer)
        min(all_of_them, key=lambda server: server.load).take(work)
        works.append(work)
    for server in all_of_them:
        server.advance(float("inf"))
    span = max(server.now for server in all_of_them) - asks[0].at
    busy = sum(server.busy for server in all_of_them) / (servers * max(span, EPSILON))
    return Outcome(works, busy)


def needed(
    asks: Sequence[Ask], speed: Speed, rows: int, is_good: Callable[[Outcome], bool]
) -> tuple[int, Outcome]:
    """The fewest servers that are good enough, and what people then see."""
    low, high = 0, 1
    found = simulate(asks, high, speed, rows)
    while not is_good(found):
        low, high = high, 2 * high
        found = simulate(asks, high, speed, rows)
    while high - low > 1:
        middle = (low + high) // 2
        tried = simulate(asks, middle, speed, rows)
        if is_good(tried):
            high, found = middle, tried
        else:
            low = middle
    return high, found


def read_trace(file: Path) -> list[Ask]:
    """A CSV of TIMESTAMP, ContextTokens, GeneratedTokens, packed or not; from second 0 on."""
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        rows = list(csv.DictReader(lines))
    times = [datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in rows]
    return [
        Ask(at - times[0], int(row["ContextTokens"]), int(row["GeneratedTokens"]))
        for row, at in zip(rows, times, strict=True)
    ]


def at_rate(asks: Sequence[Ask], per_second: float, lengths: float) -> list[Ask]:
    """The same requests in the same bursts, so many a second on the whole, their lengths scaled."""
    stretch = len(asks) / per_second / asks[-1].at
    return [
        Ask(
            ask.at * stretch,
            max(1, round(ask.prompt * lengths)),
            max(1, round(ask.answer * lengths)),
        )
        for ask in asks
    ]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]
