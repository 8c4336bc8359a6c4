"""More than a server can carry, and clients that do not stay: `python -m benchmarks.strain`.

1. Its capacity is measured, and then so many times that is asked of it, whether answers come or
   not. What is accepted must be answered, what is not must be told so at once, and memory must stay
   as it is.
2. Clients ask for the longest answer there is room for and leave half a second later. The next one
   must hardly notice.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import httpx
import typer

from benchmarks.sides import Side, running
from benchmarks.streams import client_of, closed_loop, percentile, prompt

PATH = "/v1/chat/completions"
TOKENS = 64
STREAMS = 32
SETTLED_S = 15.0
MEMORY_GROWTH = 0.05
NEXT_ANSWER_S = 5.0
REFUSED_S = 1.0
"""As the client sees it, which on a small machine waits for a core itself."""


@dataclass
class Overload:
    """What clients were told, and the server's memory each second, in MiB."""

    firsts: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)

    def growth(self) -> float:
        """By how much the most memory exceeds that of the time when it had settled; 0 if it was too
        short for that."""
        settled = self.memory[int(SETTLED_S) :]
        return max(settled) / settled[0] - 1 if settled else 0.0


def main(
    seconds: Annotated[float, typer.Option(help="Of overload.")] = 120,
    times: Annotated[float, typer.Option(help="The capacity.")] = 4,
    leavers: Annotated[int, typer.Option(help="Clients that leave.")] = 200,
    model: Annotated[str, typer.Option(help="builtin, or a folder.")] = "builtin",
) -> None:
    """Run, and print one JSON object; exits with 1 if the server did not bear it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(model), "float32", Path(folder), {}) as sides,
    ):
        [side] = sides
        closed_loop(side.target, STREAMS, 2, TOKENS)
        load = closed_loop(side.target, STREAMS, 4, TOKENS)
        capacity = len(load.answers) / load.seconds
        found = asyncio.run(overloaded(side, capacity * times, seconds))
        leaving = asyncio.run(left(side, leavers))
    record = {
        "capacity_per_s": round(capacity, 1),
        "asked_per_s": round(capacity * times, 1),
        "answered": len(found.firsts),
        "refused": len(found.refusals),
        "others": dict(found.others),
        "ttft_p50_s": round(percentile(found.firsts, 50), 2),
        "ttft_p99_s": round(percentile(found.firsts, 99), 2),
        "refusal_p99_ms": round(percentile(found.refusals, 99) * 1e3, 1),
        "memory_growth": round(found.growth(), 3),
        **leaving,
    }
    typer.echo(json.dumps(record))
    # A few seconds are too short to tell a slow server from a busy machine.
    late = seconds > SETTLED_S and percentile(found.refusals, 99) > REFUSED_S
    bad = found.others or late or found.growth() > MEMORY_GROWTH
    if bad or leaving["next_answer_s"] > NEXT_ANSWER_S or any(leaving["gauges"].values()):
        sys.exit(1)


async def overloaded(side: Side, per_second: float, seconds: float) -> Overload:
    """Requests at a steady rate, whatever becomes of them."""
    found = Overload()
    async with client_of(side.target.url) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch(side, found, seconds))
        began = time.perf_counter()
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            tasks.create_task(_one(client, side.target.model, number, found))
    return found


async def _watch(side: Side, found: Overload, seconds: float) -> None:
    for _ in range(int(seconds)):
        found.memory.append(side.resident_mib)
        await asyncio.sleep(1)


async def _one(client: aiohttp.ClientSession, model: str, number: int, found: Overload) -> None:
    """One request to its end, and what came of it."""
    began = time.perf_counter()
    first, done = 0.0, False
    try:
        async with client.post(PATH, json=_body(model, number, TOKENS)) as answer:
            if answer.status == 503 and "retry-after" in answer.headers:
                found.refusals.append(time.perf_counter() - began)
                return
            answer.raise_for_status()
            async for line in answer.content:
                first = first or (time.perf_counter() - began if line.strip() else 0.0)
                done = done or line == b"data: [DONE]\n"
    except aiohttp.ClientResponseError as error:
        found.others[str(error.status)] += 1
    except (aiohttp.ClientError, TimeoutError) as error:
        found.others[type(error).__name__] += 1
    else:
        if done:
            found.firsts.append(first)
        else:
            found.others["cut"] += 1


async def left(side: Side, leavers: int) -> dict[str, Any]:
    """Everybody asks for the most and leaves after half a second; then somebody asks in earnest."""
    async with _client(side) as client:
        longest = await _longest(client, side.target.model)
        async with asyncio.TaskGroup() as tasks:
            for number in range(leavers):
                tasks.create_task(_leaver(client, side.target.model, number, longest))
        began = time.perf_counter()
        answer = await client.post(PATH, json={**_body(side.target.model, 0, 4), "stream": False})
        answer.raise_for_status()
        took = time.perf_counter() - began
        await asyncio.sleep(1)
        return {
            "leavers": leavers,
            "longest": longest,
            "next_answer_s": round(took, 2),
            "gauges": await _gauges(client),
        }


async def _longest(client: httpx.AsyncClient, model: str) -> int:
    """The most tokens that the server grants to an answer."""
    refused = await client.post(PATH, json=_body(model, 0, 10**6))
    return int(refused.json()["error"]["message"].rpartition(" ")[2].rstrip("."))


async def _leaver(client: httpx.AsyncClient, model: str, number: int, tokens: int) -> None:
    async def asked() -> None:
        async with client.stream("POST", PATH, json=_body(model, number, tokens)) as answer:
            answer.raise_for_status()
            async for _ in answer.aiter_raw():
                pass

    try:
        await asyncio.wait_for(asked(), 0.5)
    except TimeoutError:
        return
    raise RuntimeError(f"the answer of {tokens} tokens was there within half a second")


async def _gauges(client: httpx.AsyncClient) -> dict[str, float]:
    """What /metrics says is running, waiting or held."""
    lines = (await client.get("/metrics")).text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    wanted = ("rankloop_num_", "rankloop_kv_cache_usage")
    return {name: float(value) for name, value in pairs if name.startswith(wanted)}


def _body(model: str, number: int, tokens: int) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": prompt(20, number)}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "stream": True,
    }


def _client(side: Side) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(base_url=side.target.url, timeout=90, limits=limits, trust_env=False)


if __name__ == "__main__":
    typer.run(main)
