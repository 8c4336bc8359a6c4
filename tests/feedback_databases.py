"""Fixtures of the feedback tests: a SQLite file, a real PostgreSQL, and a store on each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from benchmarks import postgres as postgres_server
from feedback.database import connect, writer
from feedback.records import CandidateRecord, GenerationRecord
from feedback.store import Store
from feedback.tables import Row


class PostgresServer(postgres_server.PostgresServer):
    """One that tests share, each on empty tables."""

    def drop_tables(self) -> None:
        """Leave nothing of what the test before made."""
        execute(self.url, "DROP SCHEMA public CASCADE")
        execute(self.url, "CREATE SCHEMA public")

    def delete_rows(self) -> None:
        """Leave the tables, empty: much quicker than to make them again for every test."""
        engine = connect(self.url)
        with writer(engine).begin() as connection:
            if inspect(connection).has_table("ranking"):
                for table in reversed(Row.metadata.sorted_tables):
                    connection.execute(table.delete())
        engine.dispose()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server, started once; skips where PostgreSQL or its driver is not installed."""
    pytest.importorskip("psycopg")
    binaries = postgres_server.binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    server = PostgresServer(binaries)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind that holds no rows."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'rankloop.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    server.delete_rows()
    return server.url


@pytest.fixture
def empty_url(url: str, request: pytest.FixtureRequest) -> str:
    """A database of each kind that holds no tables."""
    if url.startswith("postgresql"):
        request.getfixturevalue("postgres").drop_tables()
    return url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open store on an empty database of each kind."""
    store = Store.open(url)
    yield store
    store.close()


def execute(url: str, statement: str, **values: Any) -> list[Any]:
    """Run one statement behind the store's back and return its rows."""
    engine = connect(url)
    try:
        with writer(engine).begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []
    finally:
        engine.dispose()


def a_generation(
    id: str = "c1",
    *,
    prompt: str = "hi",
    person: str = "ann",
    consented: bool = True,
    version: str = "v0",
    n: int = 4,
    at: float = 1000.0,
) -> GenerationRecord:
    """A generation of n candidates, named <id>-0, <id>-1, ..."""
    return GenerationRecord(
        id=id,
        conversation_id=f"conversation of {id}",
        person=person,
        consented=consented,
        version=version,
        digest=f"digest of {version}",
        messages=(("system", "Be kind."), ("user", prompt)),
        prompt_ids=tuple(prompt.encode()),
        params={"temperature": 0.5, "top_p": 1.0, "max_tokens": 64},
        seed=2**40,
        template_hash="t",
        candidates=tuple(a_candidate(f"{id}-{index}", index) for index in range(n)),
        created_at=at,
    )


def a_candidate(id: str, index: int) -> CandidateRecord:
    """A candidate of two tokens. The log-probabilities are exact in float32."""
    return CandidateRecord(
        id=id,
        index=index,
        text=f"answer {index}",
        token_ids=(index, 2**31 - 1),
        logps=(-0.5, -0.25),
        raw_logps=(-0.75, -1.5),
        finish_reason="stop",
    )
