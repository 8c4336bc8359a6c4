"""The connection to SQLite or PostgreSQL: how transactions begin, the clock, and the tables'
migrations.

On SQLite a writer begins with `BEGIN IMMEDIATE`: one that reads first and writes later fails with
"locked" as soon as another process writes in between, whatever the timeout.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from .errors import StoreError

BUSY_TIMEOUT_S = 30.0
MIGRATIONS = Path(__file__).parent / "migrations"
CLOCK = {
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())::float8",
}
# PostgreSQL's advisory locks are named by numbers: this project's, then what is locked.
LOCK_SPACE = 0x52414E4B
DISK_FULL = "53100"  # PostgreSQL's code for it
# Alembic keeps the migration that runs in a module's variable: one at a time in a process.
ONE_MIGRATION = threading.Lock()


def connect(url: str) -> Engine:
    """An engine for `sqlite:///file` or `postgresql://...`; a SQLite file's folder is made.

    Raises StoreError for an address of anything else. No message shows the address: it may hold a
    password.
    """
    address = make_url(url)
    kind = address.get_backend_name()
    if kind == "sqlite" and address.database not in (None, "", ":memory:"):
        return _connect_sqlite(address)
    if kind in ("postgresql", "postgres"):
        return _connect_postgresql(address)
    message = "the database is sqlite:///FILE or postgresql://USER@HOST/NAME"
    raise StoreError(f"{message}, not {kind}", param="database.url", value=kind)


def _connect_postgresql(address: URL) -> Engine:
    if "+" not in address.drivername:
        address = address.set(drivername="postgresql+psycopg")
    try:
        engine = create_engine(address, pool_pre_ping=True, pool_size=10, max_overflow=20)
    except ModuleNotFoundError as missing:
        message = f"PostgreSQL needs {missing.name}: pip install 'psycopg[binary]'"
        raise StoreError(message, param="database.url", value=missing.name) from missing
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    """Wait for a lock as long as on SQLite, and let no stalled process hold one for longer."""
    with connection.cursor() as cursor:
        for setting in ("lock_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SET {setting} = '{BUSY_TIMEOUT_S:.0f}s'")
    connection.commit()


def _connect_sqlite(address: URL) -> Engine:
    assert address.database, "several processes share a file"
    Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        address, connect_args={"timeout": BUSY_TIMEOUT_S}, pool_size=10, max_overflow=20
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    _use_wal(engine)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Take transactions out of the driver's hands; keep acknowledged rows through a power cut."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(engine: Engine) -> None:
    """Switch the file to WAL, once in its life.

    Processes that try together get "locked" without the timeout.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode = WAL")
            return
        except engine.dialect.dbapi.OperationalError:  # type: ignore[union-attr]
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        finally:
            connection.close()


def reader(engine: Engine) -> Engine:
    """The engine for transactions that read: each sees one state of the database throughout."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine


def writer(engine: Engine) -> Engine:
    """The engine for transactions that write, or read in order to write."""
    return engine.execution_options(writes=True)


def is_full(error: DBAPIError) -> bool:
    """Whether a statement failed because the database's disk is full."""
    cause = error.orig
    on_sqlite = getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return on_sqlite or getattr(cause, "sqlstate", None) == DISK_FULL


def lock(connection: Connection, name: str) -> None:
    """Wait until no other writer of this name is left; the lock ends with the transaction.

    SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))"),
            {"space": LOCK_SPACE, "name": name},
        )


def now(connection: Connection) -> float:
    """The database's clock, Unix seconds: the one that all processes share."""
    return float(connection.execute(text(CLOCK[connection.dialect.name])).scalar_one())


def migrate(engine: Engine) -> None:
    """Bring the tables up to date, in one transaction, while other processes that open the store
    wait.
    """
    with ONE_MIGRATION, writer(engine).begin() as connection:
        lock(connection, "migrations")
        command.upgrade(migrations(connection), "head")


def migrations(connection: Connection) -> Config:
    """Alembic's view of our migrations, on this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
