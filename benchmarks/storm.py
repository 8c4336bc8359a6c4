"""Is every ranking kept that was acknowledged? `python -m benchmarks.storm --rankings 10000`.

1. A real server on SQLite, or on a real PostgreSQL (`--database postgresql`). Eight raters, each a
   process, post rankings as fast as they are acknowledged.
2. Meanwhile raters and the server are killed (SIGKILL) at random, and started again. A rater sends
   what was on its way once more, under the same Idempotency-Key.
3. Then the database is read: each ranking that was acknowledged is there once, with the ranks that
   were sent, and nothing else is; nobody was told, and no log says, that it was locked.

The last line printed is one JSON object; it exits with 1 where that does not hold.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated

import httpx
import typer
from sqlalchemy import text

from benchmarks.postgres import PostgresServer, binaries
from benchmarks.product import free_ports
from benchmarks.storm_rater import journaled, key_of, ranks_of
from feedback.database import connect

COMPARISONS, ANSWERS = 5, 4
"""Of each rater: it ranks them again and again, and each ranking supersedes the last."""

POLL_S = 0.02
READY_S = 120.0
LOCKED = "database is locked"


class Database(StrEnum):
    """Which keeps the record."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass
class Server:
    """`rankloop server`, which may be killed and started again at the same address."""

    folder: Path
    database: str | None
    port: int = field(default_factory=lambda: free_ports(1)[0])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        command = [sys.executable, "-m", "rankloop", "server", f"--data={self.folder / 'data'}"]
        command += [f"--server.port={self.port}"]
        command += [f"--database.url={self.database}"] if self.database else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def wait(self) -> None:
        """Until it is ready. Raises RuntimeError with the log's end where it ends instead."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"the server did not come up:\n{self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Rater:
    """A process that ranks; `journal` has a line for each ranking that was acknowledged."""

    name: str
    count: int
    folder: Path
    comparisons: list[str]

    @property
    def journal(self) -> Path:
        return self.folder / f"{self.name}.journal"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def acknowledged(self) -> int:
        return journaled(self.journal)

    def start(self, url: str) -> None:
        command = [sys.executable, "-m", "benchmarks.storm_rater", url, str(self.journal)]
        command += [self.name, str(self.count), *self.comparisons]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Storm:
    """The server, who ranks, and how often each was killed."""

    server: Server
    raters: list[Rater]
    rng: random.Random
    server_kills: int = 0
    rater_kills: int = 0

    def run(self, kills: int) -> None:
        """Until every rater has done, with so many kills on the way. Raises RuntimeError where one
        gives up.
        """
        total = sum(rater.count for rater in self.raters)
        due = sorted(self.rng.sample(range(total // 20, total * 19 // 20), kills))
        told = 0
        for rater in self.raters:
            rater.start(self.server.url)
        while any(rater.process.poll() is None for rater in self.raters):
            time.sleep(POLL_S)
            done = sum(rater.acknowledged for rater in self.raters)
            while due and done >= due[0]:
                due.pop(0)
                self._kill()
            if done >= told + total // 10:
                told = done
                typer.echo(f"{done}/{total} acknowledged, {self.killed} killed", err=True)
        for rater in self.raters:
            if rater.process.returncode:
                raise RuntimeError(f"{rater.name} gave up:\n{rater.log.read_text()[-1000:]}")

    @property
    def killed(self) -> int:
        return self.server_kills + self.rater_kills

    def _kill(self) -> None:
        """The server every third time, else one of those who still rank; each starts again."""
        busy = [rater for rater in self.raters if rater.process.poll() is None]
        if not busy or self.killed % 3 == 2:
            self.server.kill()
            self.server.start()
            self.server_kills += 1
        else:
            rater = self.rng.choice(busy)
            rater.kill()
            rater.start(self.server.url)
            self.rater_kills += 1


def main(
    rankings: Annotated[int, typer.Option(help="Of all raters together.", min=8)] = 10_000,
    raters: Annotated[int, typer.Option(help="Processes.", min=1)] = 8,
    kills: Annotated[int, typer.Option(help="Of raters and of the server.", min=0)] = 24,
    database: Annotated[Database, typer.Option(help="Which keeps the record.")] = Database.SQLITE,
    seed: Annotated[int | None, typer.Option(help="Of who is killed, and when.")] = None,
) -> None:
    """Run, and print one JSON object; exits with 1 if a ranking was lost, doubled or refused."""
    seed = random.randrange(2**31) if seed is None else seed
    typer.echo(f"seed {seed}", err=True)
    with tempfile.TemporaryDirectory() as folder, _record(database) as url:
        server = Server(Path(folder), url)
        server.start()
        try:
            server.wait()
            crowd = [_rater(f"rater{i}", server, rankings // raters) for i in range(raters)]
            storm = Storm(server, crowd, random.Random(seed))
            began = time.monotonic()
            storm.run(kills)
            seconds = time.monotonic() - began
        finally:
            server.kill()
        found = kept(url or f"sqlite:///{server.folder / 'data' / 'rankloop.db'}", crowd)
        found["locked"] = server.log.read_text().count(LOCKED)
        done = sum(rater.acknowledged for rater in crowd)
    record = {
        "database": database.value,
        "acknowledged": done,
        **found,
        "raters_killed": storm.rater_kills,
        "server_killed": storm.server_kills,
        "seconds": round(seconds, 1),
        "seed": seed,
    }
    typer.echo(json.dumps(record))
    if found["kept_once"] != done or found["lost"] or found["locked"] or found["others"]:
        sys.exit(1)


@contextmanager
def _record(database: Database) -> Iterator[str | None]:
    """The address of an empty database; None is the file in the data folder."""
    if database is Database.SQLITE:
        yield None
        return
    found = binaries()
    if found is None:
        raise SystemExit("PostgreSQL is not installed: there is no initdb on the path")
    server = PostgresServer(found)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def _rater(name: str, server: Server, count: int) -> Rater:
    """With answers of their own to rank."""
    comparisons = []
    for number in range(COMPARISONS):
        body = {
            "model": "rankloop",
            "messages": [{"role": "user", "content": f"Say something about {number} apples."}],
            "n": ANSWERS,
            "max_tokens": 8,
            "user": name,
        }
        answer = httpx.post(
            f"{server.url}/v1/chat/completions", json=body, timeout=READY_S, trust_env=False
        )
        answer.raise_for_status()
        comparisons.append(",".join(answer.json()["rankloop"]["candidates"]))
    return Rater(name, count, server.folder, comparisons)


def kept(url: str, raters: list[Rater]) -> dict[str, int]:
    """What the record has of what was sent: rankings that are there once and as they were sent,
    those that are not, and rows that nobody sent.
    """
    sent = {
        key_of(rater.name, number): ranks_of(rater.name, number, ANSWERS)
        for rater in raters
        for number in range(rater.acknowledged)
    }
    engine = connect(url)
    with engine.connect() as connection:
        rows = list(connection.execute(text(ROWS)))
    engine.dispose()
    found: dict[str, list[list[int]]] = {}
    for _, ranking in groupby(rows, key=lambda row: row.id):
        entries = list(ranking)
        found.setdefault(entries[0].key, []).append([entry.rank for entry in entries])
    once = sum(found.get(key) == [ranks] for key, ranks in sent.items())
    return {
        "kept_once": once,
        "lost": len(sent) - once,
        "others": sum(len(found[key]) for key in found.keys() - sent.keys()),
    }


ROWS = """
    SELECT ranking.id, ranking.idempotency_key AS key, ranked_candidate.rank
    FROM ranking JOIN ranked_candidate ON ranked_candidate.ranking_id = ranking.id
    ORDER BY ranking.id, ranked_candidate.place
"""


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(main)

if __name__ == "__main__":
    app()
