"""Answers while versions come and go: `python -m benchmarks.soak --requests 10000 --swaps 100`.

Streams ask greedily, one request after another, while versions are promoted in turn. Each answer
must come whole, from one version, and say what an engine of its own says on that version's weights;
and a swap must hardly be felt between two tokens.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import torch
import typer

from benchmarks.sides import Side, running
from benchmarks.streams import percentile, prompt
from feedback.store import Store
from policy.chat import Message
from policy.engine import Engine, Request, generate
from policy.params import SamplingParams
from policy.versions import Versions

PROMPTS = 64


@dataclass(frozen=True)
class Answer:
    """One answer as a client saw it; `gaps` are (when, seconds) between two of its frames."""

    prompt: int
    version: str
    text: str
    gaps: Sequence[tuple[float, float]]


@dataclass
class Run:
    """What the streams have seen so far."""

    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    swaps: list[float] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return len(self.answers) + len(self.failures)

    def gaps(self, swapping: bool) -> list[float]:
        """Seconds between frames, before the first swap or from it on."""
        first = min(self.swaps, default=math.inf)
        return [
            gap for answer in self.answers for at, gap in answer.gaps if (at >= first) == swapping
        ]


def main(
    requests: Annotated[int, typer.Option(help="Requests in all.")] = 10_000,
    swaps: Annotated[int, typer.Option(help="Promotions among them.")] = 100,
    streams: Annotated[int, typer.Option(help="Streams at a time.")] = 16,
    tokens: Annotated[int, typer.Option(help="Longest answer.")] = 32,
    model: Annotated[str, typer.Option(help="builtin, or a folder.")] = "builtin",
) -> None:
    """Run, and print one JSON object; exits with 1 if an answer was not what it should be."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(model), "float32", Path(folder), {}) as sides,
    ):
        data = Path(folder) / "data"
        plan = Plan(published(data), requests, swaps, streams, tokens)
        run = asyncio.run(_run(sides[0], plan))
        wrong = mismatches(data, run.answers, tokens)
    steady, swapping = (percentile(run.gaps(which), 99) * 1e3 for which in (False, True))
    found = {
        "requests": run.asked,
        "failed": len(run.failures),
        "failures": Counter(run.failures).most_common(5),
        "swaps": len(run.swaps),
        "answers_by_version": Counter(answer.version for answer in run.answers),
        "mismatches": wrong,
        "gap_p99_steady_ms": round(steady, 1),
        "gap_p99_swapping_ms": round(swapping, 1),
        "ratio": round(swapping / steady, 2) if steady else None,
    }
    typer.echo(json.dumps(found))
    if run.failures or wrong:
        sys.exit(1)


def published(data: Path, count: int = 4) -> list[str]:
    """Versions beside v0: its weights, each with a little noise of its own."""
    versions, store = Versions(data / "versions"), Store.open(f"sqlite:///{data}/rankloop.db")
    ids = []
    for seed in range(count):
        model = versions.load("v0")
        noise = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in model.net.parameters():
                weight.add_(0.01 * torch.randn(weight.shape, generator=noise) * weight.abs().mean())
        id = store.next_id("v")
        manifest = versions.publish(id, model, kind="full", parent="v0", round=None)
        store.register_version(id, digest=manifest.digest, parent="v0", kind="full")
        store.verify(id, actor="soak", reason="published to be swapped in")
        ids.append(id)
    store.close()
    return ids


@dataclass(frozen=True)
class Plan:
    """How much is asked of which model, and which versions come in turn."""

    versions: Sequence[str]
    requests: int
    swaps: int
    streams: int
    tokens: int

    def due(self, asked: int) -> int:
        """Swaps that so many requests bring; the first tenth of all knows none."""
        steady = self.requests // 10
        return max(0, asked - steady) * self.swaps // (self.requests - steady)


async def _run(side: Side, plan: Plan) -> Run:
    """All streams, and the swaps among them."""
    run, numbers = Run(), iter(range(plan.requests))
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=side.target.url, timeout=60, limits=limits, trust_env=False
    ) as client:
        streams = [
            _stream(client, side.target.model, numbers, plan, run) for _ in range(plan.streams)
        ]
        await asyncio.gather(*streams)
    return run


async def _stream(
    client: httpx.AsyncClient, model: str, numbers: Iterator[int], plan: Plan, run: Run
) -> None:
    """One request after another; whoever sees that a swap is due makes it."""
    for number in numbers:
        try:
            run.answers.append(await _ask(client, model, number % PROMPTS, plan.tokens))
        except (httpx.HTTPError, KeyError, ValueError) as error:
            run.failures.append(repr(error)[:200])
        if len(run.swaps) < plan.due(run.asked):
            id = plan.versions[len(run.swaps) % len(plan.versions)]
            run.swaps.append(time.perf_counter())
            body = {"reason": "the next one"}
            (await client.post(f"/v1/versions/{id}/promote", json=body)).raise_for_status()


async def _ask(client: httpx.AsyncClient, model: str, number: int, tokens: int) -> Answer:
    """Raises ValueError for an answer that is cut or names two versions."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": prompt(8, number)}],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": True,
        "store": False,
    }
    texts, versions, gaps, done, last = [], set(), [], False, 0.0
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        answer.raise_for_status()
        versions.add(answer.headers["x-rankloop-version"])
        async for line in answer.aiter_lines():
            if line == "data: [DONE]":
                done = True
            elif line.startswith("data: "):
                now, chunk = time.perf_counter(), json.loads(line.removeprefix("data: "))
                gaps += [(now, now - last)] if last else []
                last = now
                texts += [choice["delta"].get("content", "") for choice in chunk["choices"]]
                versions |= {chunk["rankloop"]["version"]} if "rankloop" in chunk else set()
    if not done or len(versions) != 1:
        raise ValueError(f"done: {done}, versions: {versions}")
    return Answer(number, versions.pop(), "".join(texts), gaps)


def mismatches(data: Path, answers: Sequence[Answer], tokens: int) -> int:
    """Answers that an engine of its own, fresh on that version's weights, does not give."""
    versions, wrong = Versions(data / "versions"), 0
    for id in sorted({answer.version for answer in answers}):
        model = versions.load(id)
        greedy = SamplingParams(temperature=0.0, max_tokens=tokens)
        asked = [
            Request(
                str(number),
                tuple(model.chat.encode([Message("user", prompt(8, number))])),
                greedy,
                stop_ids=model.chat.stop_ids,
            )
            for number in range(PROMPTS)
        ]
        cold = generate(Engine(model.net, rows=8), asked)
        texts = [model.chat.decode(cold[str(number)][0].tokens) for number in range(PROMPTS)]
        wrong += sum(a.text != texts[a.prompt] for a in answers if a.version == id)
    return wrong


if __name__ == "__main__":
    typer.run(main)
