"""A record moved from SQLite to a real PostgreSQL, and back, is the same in every row."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from feedback import copying, moving
from feedback.database import connect, migrate, reader, writer
from feedback.errors import StoreError
from feedback.moving import TableSum, move
from feedback.quotas import Want
from feedback.store import Store
from feedback.tables import Candidate
from tests.feedback_databases import PostgresServer, a_generation, execute


def filled(url: str) -> None:
    """A record with every kind of column: packed tokens and log-probabilities, one of them no
    number; JSON, of texts that no text column of PostgreSQL takes; numbers, flags, times, nulls.
    """
    store = Store.open(url, opt_in=True)
    store.install_base(digest="digest of v0")
    record = a_generation(prompt="naïve \x00 🙂")
    odd = replace(record.candidates[0], logps=(math.nan, -math.inf), text="a\x00b")
    store.record_generation(replace(record, candidates=(odd, *record.candidates[1:])))
    store.say_consent("ann", given=True, version="1")
    for turn in range(3):  # each supersedes the one before
        store.add_ranking(
            person="ann",
            completion_id="c1",
            ranks=[1, 2, None, 2],
            ratings={"helpful": [1.5, None, 7.0, 2.0]},
            comment=f"turn {turn}\x00",
            idempotency_key=f"k{turn}",
        )
    store.add_marks(person="ann", candidate="c1-0", values={"thumb": 1.0}, comment="why")
    store.issue_key("ann", ["chat"], actor="test")
    store.take_requests({"person ann": Want(1, 10)})
    store.request_round(trigger="operator", stages=["reward"], actor="ann")
    claim = store.claim_round("learner", 60)
    assert claim is not None
    store.add_metrics(claim, stage="reward", step=1, values={"loss": 0.1})
    for number in range(12):  # v10 sorts before v9 as a text
        store.register_version(
            f"v{number + 1}", digest=f"d{number}", parent=f"v{number}", kind="full"
        )
    store.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'old' / 'rankloop.db'}"


@pytest.fixture
def target(postgres: PostgresServer) -> str:
    postgres.drop_tables()
    return postgres.url


def held(url: str) -> list[TableSum]:
    engine = connect(url)
    try:
        with reader(engine).connect() as connection:
            return moving.sums(connection)
    finally:
        engine.dispose()


def read(url: str) -> tuple[Any, ...]:
    """What the product would make of it."""
    store = Store.open(url)
    try:
        return (
            store.generation("c1"),
            repr(store.candidate("c1-0").logps),
            list(store.export("rankloop")),
            store.versions(),
            store.live(),
            store.rounds(),
            store.metrics(1),
            store.issued_keys(),
        )
    finally:
        store.close()


def test_a_record_goes_to_postgresql_and_back_unchanged(
    sqlite: str, target: str, tmp_path: Path
) -> None:
    """Rows and digests of every table are the same in all three, and so is what is read of them;
    the source stays.
    """
    filled(sqlite)
    before = held(sqlite)
    assert sum(table.rows > 0 for table in before) >= 15
    assert move(sqlite, target) == before == held(target) == held(sqlite)
    back = f"sqlite:///{tmp_path / 'back' / 'rankloop.db'}"
    assert move(target, back) == before == held(back)
    there = [str(read(url)) for url in (sqlite, target, back)]
    assert there[0] == there[1] == there[2]


def test_the_product_goes_on_in_the_new_place(sqlite: str, target: str) -> None:
    """A version is verified and promoted, which is three more moves on record and one of the
    pointer; another round is asked for after the one that ends.
    """
    filled(sqlite)
    move(sqlite, target)
    store = Store.open(target)
    moves = execute(target, "SELECT max(id) FROM version_event")[0][0]
    store.verify("v12", actor="ann", reason="good")
    store.promote("v12", actor="ann", reason="better")
    assert store.live().version == "v12"
    assert execute(target, "SELECT max(id) FROM version_event") == [(moves + 3,)]
    store.cancel_round(1, "ann")
    execute(target, "UPDATE lease SET expires_at = 0")
    store.claim_round("learner", 60)
    assert store.request_round(trigger="operator", actor="ann").id == 2
    store.close()


def test_new_rows_are_numbered_on_from_the_highest_ever_given(sqlite: str, target: str) -> None:
    """Three rankings, of which the last two are gone: the next is the fourth, on PostgreSQL and
    back on SQLite.
    """
    filled(sqlite)
    execute(sqlite, "DELETE FROM waiting_ranking")
    execute(sqlite, "DELETE FROM ranked_candidate WHERE ranking_id > 1")
    execute(sqlite, "DELETE FROM ranking WHERE id = 3")
    execute(sqlite, "DELETE FROM ranking WHERE id = 2")
    move(sqlite, target)
    store = Store.open(target)
    assert store.add_ranking(person="bob", completion_id="c1", ranks=[1, 2, 3, 4]).id == 4
    store.close()
    back = sqlite.replace("old", "back")
    move(target, back)
    store = Store.open(back)
    assert store.add_ranking(person="eve", completion_id="c1", ranks=[1, 2, 3, 4]).id == 5
    store.close()


def test_a_target_with_rows_is_refused_and_keeps_them(sqlite: str, target: str) -> None:
    """One generation is enough; it says of which table."""
    filled(sqlite)
    store = Store.open(target)
    store.record_generation(a_generation("mine"))
    store.close()
    before = held(target)
    with pytest.raises(StoreError, match=r"not empty, it has rows: .*1 in generation"):
        move(sqlite, target)
    assert held(target) == before
    with pytest.raises(StoreError, match="there already"):
        move(sqlite, sqlite)


def test_a_row_that_comes_out_otherwise_is_found_and_nothing_is_kept(
    sqlite: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One token of one answer: the transaction is taken back."""
    filled(sqlite)
    copy = copying.copy_rows

    def copy_and_change(old: Any, new: Any) -> None:
        copy(old, new)
        new.execute(Candidate.__table__.update().values(token_ids=(1, 2)))  # type: ignore[attr-defined]

    monkeypatch.setattr(moving, "copy_rows", copy_and_change)
    with pytest.raises(StoreError, match="candidate would not be the same: 4 rows of digest"):
        move(sqlite, target)
    assert {table.rows for table in held(target)} == {0}


def test_a_row_that_postgresql_refuses_leaves_it_empty(sqlite: str, target: str) -> None:
    """A NUL in a name, which only somebody behind the store's back can write."""
    filled(sqlite)
    execute(sqlite, "UPDATE api_key SET person = :name", name="a\x00b")
    with pytest.raises(StoreError, match="does not take a row"):
        move(sqlite, target)
    assert {table.rows for table in held(target)} == {0}


def test_a_digest_tells_types_and_not_order(tmp_path: Path) -> None:
    """The same rows put in the other way round have the same sum, and 1 for 2 has another."""
    sums = []
    for name, rows in (("a", [(1, 2), (3, 4)]), ("b", [(3, 4), (1, 2)]), ("c", [(1, 1), (3, 4)])):
        engine = connect(f"sqlite:///{tmp_path}/{name}.db")
        migrate(engine)
        [table] = [table for table in copying.tables() if table.name == "quota_taken"]
        with writer(engine).begin() as connection:
            values = [{"name": "x", "second": at, "taken": taken} for at, taken in rows]
            connection.execute(insert(table), values)
            sums.append(next(s for s in moving.sums(connection) if s.name == table.name))
        engine.dispose()
    assert sums[0] == sums[1] != sums[2]
    assert moving._digest({"flag": True}) != moving._digest({"flag": 1})
