"""A PostgreSQL that is stopped and comes back, and a database that an earlier release left."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks import postgres
from feedback import copying
from tests.faults.client import question
from tests.faults.ground import RANKINGS, Folder, Starts, until
from tests.faults.invariants import broken
from tests.faults.learner_rows import ask, finished, held
from tests.faults.row import Row, alone
from tests.faults.standing import Server

EARLIER = Path(__file__).parent / "revision-0008.sql"
"""What `sqlite3 .dump` gives of a record of that revision, with ranked answers."""
EARLIER_RANKINGS = 30


class Stopping(postgres.PostgresServer):
    """A PostgreSQL that goes away; `serve` brings it back."""

    def down(self) -> None:
        """At once, as when its machine fails."""
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")


@contextmanager
def on_postgresql(folder: Folder) -> Iterator[tuple[Folder, Stopping]]:
    """The folder with its record there; raises FileNotFoundError where PostgreSQL is not
    installed.
    """
    binaries = postgres.binaries()
    if binaries is None:
        raise FileNotFoundError("PostgreSQL is not installed")
    server = Stopping(binaries)
    server.start()
    there = replace(folder, database=server.url)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            record = Path(scratch) / "record.db"
            copying.save(folder.url, record)
            copying.load(record, server.url)
        yield there, server
    finally:
        there.close()
        server.stop()


def server_row(folder: Folder) -> list[str]:
    """Requests are refused while it is away and answered when it is back."""
    with on_postgresql(folder) as (there, database), closing(Server(there)) as server:
        server.await_ready()
        server.client.turn("none")
        database.down()
        body = {"model": "rankloop", "messages": question("away"), "max_tokens": 8, "n": 2}
        refused = server.client.post("/v1/chat/completions", body)
        until(lambda: server.client.ready() is None, "the server says that it is not ready")
        database.serve()
        server.client.turn("again")
        server.await_ready()
        found = [] if refused.status_code == 503 else [f"it was told {refused.text}"]
        return [*found, *server.broken()]


def learner_row(folder: Folder) -> list[str]:
    """It goes away in the middle of a round, which is done when it is back."""
    with on_postgresql(folder) as (there, database), there.process("learner") as learner:
        until(lambda: learner.dead or held(there), "the round is claimed")
        database.down()
        until(lambda: learner.dead or "waits for the database" in learner.said, "it notices")
        database.serve()
        if learner.dead:
            return ["the learner has died"]
        finished(there, learner)
        return broken(there, range(1, RANKINGS + 1))


def earlier_release(folder: Folder) -> list[str]:
    """The record of an earlier revision is opened by server and learner at once: its rows are all
    there, people go on, and a round learns from what they had ranked.
    """
    _put_back(folder)
    with closing(Server(folder)) as server, folder.process("learner") as learner:
        server.await_ready()
        server.client.turn("after")
        ask(folder)
        finished(folder, learner)
        kept = [*range(1, EARLIER_RANKINGS + 1), *server.client.rankings]
        return broken(folder, kept)


def _put_back(folder: Folder) -> None:
    """The earlier record in the place of this one, about the model that lies here."""
    digest = folder.store.version("v0").digest
    folder.close()
    for file in folder.data.glob("rankloop.db*"):
        file.unlink()
    with closing(sqlite3.connect(folder.data / "rankloop.db")) as database:
        database.executescript(EARLIER.read_text())
        database.execute("UPDATE version SET digest = ?", [digest])
        database.commit()
    shutil.rmtree(folder.data / "rounds", ignore_errors=True)


def rows(starts: Starts) -> list[Row]:
    """Each with a database of its own."""
    return [
        alone("PostgreSQL", "away while people ask", starts.fresh, server_row),
        alone("PostgreSQL", "away in a round", starts.improved, learner_row),
        alone("record", "of an earlier release", starts.fresh, earlier_release),
    ]
