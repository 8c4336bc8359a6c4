"""feedback.database, and the store under several processes, on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import OperationalError

from feedback.database import connect, is_full, migrate, migrations, now, writer
from feedback.errors import StoreError
from feedback.records import DownWeighting, InputInfo
from feedback.store import Store
from feedback.tables import Row
from tests.feedback_databases import a_generation, execute

PROCESSES = 4
TURNS = 10


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    """A connection to a database without tables."""
    engine = connect(empty_url)
    yield engine
    engine.dispose()


def test_the_migrations_make_the_tables_that_the_rows_need(engine: Engine) -> None:
    """Alembic finds no difference between the migrated database and the rows."""
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []
        assert "ranking" in inspect(connection).get_table_names()


def test_rounds_of_an_earlier_release_weigh_every_ranking_once(url: str) -> None:
    """Taken back to the second revision and opened again, a round's inputs have weight 1."""
    store = Store.open(url)
    store.install_base(digest="d0")
    store.record_generation(a_generation("c1"))
    id = store.add_ranking(person="ann", completion_id="c1", ranks=[1, 2, 3, 4]).id
    store.request_round(trigger="operator", actor="ann")
    claim = store.claim_round("learner", 60)
    assert claim is not None
    store.use_rankings(claim, [id], [DownWeighting(id, "ann", 0.5, "newcomer")])
    store.close()
    engine = connect(url)
    with writer(engine).begin() as connection:
        command.downgrade(migrations(connection), "0002")
        assert "round_prompt" not in inspect(connection).get_table_names()
    engine.dispose()
    store = Store.open(url)
    assert store.round_inputs(claim.round_id) == [InputInfo(id, "ann", 1.0)]
    assert store.round(claim.round_id).repeat_of is None
    store.close()


def test_opening_again_changes_nothing(url: str) -> None:
    """Rows stay, and the tables' revision is the same."""
    first = Store.open(url)
    first.record_generation(a_generation())
    first.close()
    revision = execute(url, "SELECT version_num FROM alembic_version")
    again = Store.open(url)
    assert again.generation("c1") == a_generation()
    again.close()
    assert execute(url, "SELECT version_num FROM alembic_version") == revision


def test_the_clock_is_unix_time(engine: Engine) -> None:
    """Within seconds of this process's, and it does not stand still in a transaction."""
    with writer(engine).begin() as connection:
        first = now(connection)
        time.sleep(0.02)
        assert now(connection) > first
    assert first == pytest.approx(time.time(), abs=5)


def test_a_sqlite_file_is_in_wal_mode_with_foreign_keys_and_full_sync(tmp_path: Path) -> None:
    """Its folder is made too; synchronous 2 is FULL."""
    engine = connect(f"sqlite:///{tmp_path}/a/b/rankloop.db")
    with engine.connect() as connection:
        asked = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        answers = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in asked]
    engine.dispose()
    assert answers == ["wal", 1, 2, 30_000]


def test_a_writer_holds_off_other_writers_from_its_first_statement_on(tmp_path: Path) -> None:
    """BEGIN IMMEDIATE: the second is told at once, not when it has read and wants to write."""
    engine = connect(f"sqlite:///{tmp_path}/rankloop.db")
    migrate(engine)
    with writer(engine).connect() as first, writer(engine).connect() as second:
        second.exec_driver_sql("PRAGMA busy_timeout = 0")
        second.rollback()
        first.exec_driver_sql("SELECT 1")
        with pytest.raises(OperationalError, match="locked"):
            second.exec_driver_sql("SELECT 1")
        with engine.connect() as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM ranking").scalar_one() == 0
    engine.dispose()


def test_a_full_disk_is_told_from_other_failures(tmp_path: Path) -> None:
    """SQLite's own limit of pages raises what a full disk raises; a lock is something else."""
    engine = connect(f"sqlite:///{tmp_path}/rankloop.db")
    with writer(engine).connect() as connection, writer(engine).connect() as second:
        second.exec_driver_sql("PRAGMA busy_timeout = 0")
        second.rollback()
        connection.exec_driver_sql("CREATE TABLE kept (text TEXT)")
        with pytest.raises(OperationalError) as locked:
            second.exec_driver_sql("SELECT 1")
        connection.exec_driver_sql("PRAGMA max_page_count = 3")
        with pytest.raises(OperationalError) as full:
            connection.exec_driver_sql("INSERT INTO kept VALUES (?)", ("x" * 100_000,))
    engine.dispose()
    assert is_full(full.value)
    assert not is_full(locked.value)


def test_an_address_without_a_driver_means_the_driver_that_we_install() -> None:
    """postgresql:// is psycopg 3, not the psycopg2 that SQLAlchemy would look for."""
    pytest.importorskip("psycopg")
    engine = connect("postgresql://rankloop@localhost/rankloop")
    assert engine.dialect.driver == "psycopg"
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://ann:secret@box/x", "sqlite://", "sqlite:///:memory:"])
def test_an_address_of_anything_else_is_refused_without_showing_it(url: str) -> None:
    """What several processes cannot share, and what was never tried."""
    with pytest.raises(StoreError, match="postgresql://USER@HOST/NAME, not") as refused:
        connect(url)
    assert refused.value.param == "database.url"
    assert "secret" not in f"{refused.value} {refused.value.value}"


def take_turns(url: str, process: int) -> int:
    """Chat, rank and beat, as a process of its own; how many rankings were acknowledged."""
    store = Store.open(url)
    for turn in range(TURNS):
        id = f"c{process}-{turn}"
        store.record_generation(a_generation(id))
        store.add_ranking(person="ann", completion_id=id, ranks=[1, 2, 3, 4], idempotency_key=id)
        store.add_ranking(person="ann", completion_id=id, ranks=[1, 2, 3, 4], idempotency_key=id)
        store.add_ranking(person="ann", completion_id="shared", ranks=[1, 2, 3, 4])
        store.heartbeat(holder=f"process {process}", state="idle")
    store.close()
    return 2 * TURNS


def open_and_close(url: str) -> int:
    """Open the store as a process of its own; how many moves its live pointer has made."""
    store = Store.open(url)
    store.install_base(digest="d0")
    epoch = store.live().epoch
    store.close()
    return epoch


def test_four_processes_open_one_empty_database_and_write_to_it(
    empty_url: str,
) -> None:
    """Nobody meets "locked"; every acknowledged ranking is there once, in one chain of changes."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(open_and_close, [empty_url] * PROCESSES)) == [1] * PROCESSES
        store = Store.open(empty_url)
        store.record_generation(a_generation("shared"))
        acknowledged = sum(pool.map(take_turns, [empty_url] * PROCESSES, range(PROCESSES)))
    ((rows,),) = execute(empty_url, "SELECT count(*) FROM ranking")
    assert rows == acknowledged == 2 * PROCESSES * TURNS
    # Each process ranked its own completions; of the shared one's rankings the last counts.
    assert store.waiting().count == PROCESSES * TURNS + 1
    assert len(store.training_rankings()) == PROCESSES * TURNS + 1
    store.close()
