"""What pages that are only open cost: `python -m benchmarks.dashboards`.

The product runs as its user starts it, with nothing to learn. So many pages are opened and left on
their tab: each with connections of its own does what a browser's page does that nobody touches,
which is to hold Gradio's heartbeat open and to ask now and then whether anything is new. Compared
is the processor time of the server and of the page's process, with and without them.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import aiohttp
import typer

from benchmarks.beside import ONLY_ASKED
from benchmarks.product import Product, running
from benchmarks.sides import family

API = "gradio_api"
PROCESSES = ("server", "ui")
"""Those that a page asks something of."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SETTLED_S = 10.0
"""Seconds after a start, or after pages were opened, that are in no figure."""


@dataclass
class Dashboard:
    """One page that nobody touches."""

    page: str
    header: int
    session: str = field(default_factory=lambda: uuid4().hex[:11])
    polls: int = 0
    slowest_s: float = 0.0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def stay(self) -> None:
        """Until it is cancelled."""
        async with aiohttp.ClientSession(self.page) as http:
            beat = asyncio.create_task(self._hold(http))
            try:
                await self._ask(http)
            finally:
                beat.cancel()

    async def _hold(self, http: aiohttp.ClientSession) -> None:
        forever = aiohttp.ClientTimeout(total=None)
        async with http.get(f"/{API}/heartbeat/{self.session}", timeout=forever) as stream:
            async for _ in stream.content:
                pass

    async def _ask(self, http: aiohttp.ClientSession) -> None:
        """As assets/status.js does."""
        revision = "null"
        while True:
            asked = {"data": revision, "fn_name": "poll"}
            asked |= {"component_id": str(self.header), "session_hash": self.session}
            began = time.monotonic()
            async with http.post(f"/{API}/component_server/", json=asked) as answer:
                answer.raise_for_status()
                told = await answer.json()
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.polls += 1
            self.answered.set()
            revision = told["revision"]
            await asyncio.sleep(told["every"])


def used_s(product: Product) -> dict[str, float]:
    """Seconds of processor time of each process so far, with all that it started."""
    log = (product.data / "rankloop.log").read_text(encoding="utf-8")
    pids = {name: int(pid) for name, pid in re.findall(r"spawned: '(\w+)' with pid (\d+)", log)}
    return {name: sum(map(_used_s, family(pids[name]))) for name in PROCESSES}


def _used_s(pid: int) -> float:
    """User and system time (proc(5); a name may hold spaces, and stands in brackets)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


async def header_of(page: str) -> int:
    """The number of the component that asks."""
    async with aiohttp.ClientSession(page) as http, http.get("/config") as answer:
        components = (await answer.json())["components"]
    return int(next(one["id"] for one in components if one["props"].get("elem_id") == "rl-header"))


async def measured(product: Product, seconds: float) -> dict[str, float]:
    """Cores that each process keeps busy over that time."""
    await asyncio.sleep(SETTLED_S)
    before, began = used_s(product), time.monotonic()
    await asyncio.sleep(seconds)
    after, took = used_s(product), time.monotonic() - began
    return {name: (after[name] - before[name]) / took for name in PROCESSES}


async def compare(product: Product, pages: int, seconds: float) -> dict[str, Any]:
    """Without any page, and with so many."""
    header = await header_of(product.page)
    alone = await measured(product, seconds)
    dashboards = [Dashboard(product.page, header) for _ in range(pages)]
    open_ = [asyncio.create_task(one.stay()) for one in dashboards]
    watched = await measured(product, seconds)
    broken = [task for task in open_ if task.done()]
    for task in open_:
        task.cancel()
    await asyncio.gather(*open_, return_exceptions=True)
    return {
        "pages": pages,
        "cores": sum(watched.values()) - sum(alone.values()),
        "alone": alone,
        "watched": watched,
        "polls": sum(one.polls for one in dashboards),
        "slowest_poll_s": max(one.slowest_s for one in dashboards),
        "broken": len(broken),
    }


def main(
    pages: Annotated[int, typer.Option(help="Open at a time.", min=1)] = 50,
    seconds: Annotated[float, typer.Option(help="Of each of the two times.", min=1)] = 60.0,
) -> None:
    """Prints one object: cores that the pages cost, and what each process used."""
    with (
        tempfile.TemporaryDirectory(prefix="rankloop-dashboards-") as folder,
        running(Path(folder) / "data", "builtin", ONLY_ASKED) as product,
    ):
        result = asyncio.run(compare(product, pages, seconds))
    typer.echo(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
