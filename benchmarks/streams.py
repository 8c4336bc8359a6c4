"""Streams of answers from an OpenAI server, timed where a client would: at its end of the wire.

The streams' client is aiohttp's, whose parser is native: client and server share the machine's
cores, and with httpx the client alone took half of one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

import aiohttp
import httpx

PATH = "/v1/chat/completions"
WORDS = (
    "river",
    "copper",
    "window",
    "seven",
    "garden",
    "winter",
    "letter",
    "music",
    "stone",
    "bread",
)


Exactly = Callable[[int], dict[str, Any]]
"""Fields by which a request says that its answer is to have exactly so many tokens."""


def without_an_end(tokens: int) -> dict[str, Any]:
    """As vLLM and Rankloop know it."""
    return {
        "min_tokens": tokens,
        "ignore_eos": True,
        "stream_options": {"include_usage": True},
    }


@dataclass(frozen=True)
class Target:
    """A server, and what it calls its model."""

    url: str
    model: str
    exactly: Exactly = without_an_end


@dataclass(frozen=True)
class Ask:
    """One request: a prompt of about so many words, an answer of exactly so many tokens, sent so
    many seconds after the start."""

    words: int
    tokens: int
    at: float = 0.0


@dataclass
class Timed:
    """One answer as it came: seconds to its first token, between the frames after it, in all."""

    first: float
    gaps: list[float] = field(default_factory=list)
    whole: float = 0.0
    tokens: int = 0


@dataclass(frozen=True)
class Load:
    """What a load came to. `seconds` is from its first request to its last frame."""

    answers: Sequence[Timed]
    seconds: float
    failed: int

    @property
    def tokens_per_second(self) -> float:
        return sum(answer.tokens for answer in self.answers) / self.seconds

    def first(self, percent: int) -> float:
        """That percentile of the time to the first token, in milliseconds."""
        return percentile([answer.first for answer in self.answers], percent) * 1e3

    def between(self, percent: int) -> float:
        """That percentile of the time between two tokens, in milliseconds."""
        return percentile([gap for answer in self.answers for gap in answer.gaps], percent) * 1e3

    def goodput(self, first_s: float, between_s: float) -> float:
        """Share of requests whose first token and mean gap kept to these times."""
        kept = [
            answer.first <= first_s and (answer.whole - answer.first) <= between_s * answer.tokens
            for answer in self.answers
        ]
        return sum(kept) / max(1, len(kept) + self.failed)


def percentile(values: Sequence[float], percent: int) -> float:
    """0 for nothing."""
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def closed_loop(target: Target, streams: int, each: int, tokens: int, first: int = 0) -> Load:
    """So many streams, each asking `each` times, one after another; `first`: the first prompt's
    number."""
    return asyncio.run(_closed_loop(target, streams, each, Ask(20, tokens), first))


def open_loop(target: Target, asks: Sequence[Ask], first: int = 0) -> Load:
    """Requests at their own times, whether earlier ones are over or not."""
    return asyncio.run(_open_loop(target, asks, first))


def together(target: Target, n: int, tokens: int, repeats: int) -> float:
    """The time of `n` answers in one request, as a share of that of `n` requests one after another;
    the median of the repeats, by turns."""
    shares = []
    with httpx.Client(base_url=target.url, timeout=600, trust_env=False) as client:
        for number in range(repeats):
            body = {**_body(target, Ask(20, tokens), number), "stream": False}
            del body["stream_options"]
            took = []
            for asked in ([{**body, "n": n}], [{**body, "seed": i} for i in range(n)]):
                began = time.perf_counter()
                choices = [
                    choice
                    for one in asked
                    for choice in client.post(PATH, json=one).raise_for_status().json()["choices"]
                ]
                assert len(choices) == n, "as many answers come either way"
                took.append(time.perf_counter() - began)
            shares.append(took[0] / took[1])
    return median(shares)


async def _closed_loop(target: Target, streams: int, each: int, ask: Ask, first: int) -> Load:
    async def stream(client: aiohttp.ClientSession, number: int) -> list[Timed | None]:
        own = first + number * each
        return [await _answer(client, target, ask, own + i) for i in range(each)]

    async with client_of(target.url) as client:
        began = time.perf_counter()
        rows = await asyncio.gather(*(stream(client, number) for number in range(streams)))
        return _load([answer for row in rows for answer in row], time.perf_counter() - began)


async def _open_loop(target: Target, asks: Sequence[Ask], first: int) -> Load:
    async def later(client: aiohttp.ClientSession, number: int, ask: Ask) -> Timed | None:
        await asyncio.sleep(ask.at)
        return await _answer(client, target, ask, number)

    async with client_of(target.url) as client:
        began = time.perf_counter()
        waiting = (later(client, first + i, ask) for i, ask in enumerate(asks))
        answers = await asyncio.gather(*waiting)
        return _load(answers, time.perf_counter() - began)


def client_of(url: str) -> aiohttp.ClientSession:
    """Opens as many connections as it is asked for."""
    timeout, unlimited = aiohttp.ClientTimeout(600), aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(url, timeout=timeout, connector=unlimited)


def _load(answers: Sequence[Timed | None], seconds: float) -> Load:
    good = [answer for answer in answers if answer is not None]
    return Load(good, seconds, len(answers) - len(good))


async def _answer(
    client: aiohttp.ClientSession, target: Target, ask: Ask, number: int
) -> Timed | None:
    """One streamed answer; None if it failed."""
    body = _body(target, ask, number)
    began = last = time.perf_counter()
    timed: Timed | None = None
    try:
        async with client.post(PATH, json=body, raise_for_status=True) as answer:
            async for chunk in _frames(answer):
                now = time.perf_counter()
                if chunk.get("usage") and timed:
                    timed.tokens = chunk["usage"]["completion_tokens"]
                if not any(c["delta"].get("content") for c in chunk["choices"]):
                    continue
                if timed is None:
                    timed = Timed(now - began)
                else:
                    timed.gaps.append(now - last)
                last, timed.whole = now, now - began
    except (aiohttp.ClientError, TimeoutError):
        return None
    return timed if timed and timed.tokens == ask.tokens else None


def _body(target: Target, ask: Ask, number: int) -> dict[str, Any]:
    return {
        "model": target.model,
        "messages": [{"role": "user", "content": prompt(ask.words, number)}],
        "max_tokens": ask.tokens,
        "temperature": 1.0,
        "stream": True,
        **target.exactly(ask.tokens),
    }


async def _frames(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.content:
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))


def prompt(words: int, number: int) -> str:
    """No two of other numbers begin alike, so that no server has seen one before."""
    chosen = (WORDS[(number * 7 + i * i) % len(WORDS)] for i in range(words))
    return f"{number}: " + " ".join(chosen)
