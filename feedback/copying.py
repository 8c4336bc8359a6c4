"""The whole record as one SQLite file, as it was at one moment; and back into an empty database.

Rows are copied table by table through SQLAlchemy's types, so that either kind of database can be
left for the other. People and learners may write meanwhile.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, func, insert, select, text

from .database import connect, migrate, reader, writer
from .errors import StoreError
from .tables import Row

ROWS = 500
"""Rows in memory at a time."""


def save(url: str, file: Path) -> None:
    """Write the record into a new SQLite file."""
    engine = connect(url)
    try:
        if engine.dialect.name == "sqlite":
            _save_sqlite(engine, file)
        else:
            migrate(engine)
            _copy(reader(engine), file)
    finally:
        engine.dispose()


def load(file: Path, url: str) -> None:
    """Bring a saved record into a database that has none. Raises StoreError where there is one, or
    where the file is no whole record.
    """
    check(file)
    engine = connect(url)
    try:
        migrate(engine)
        source = connect(f"sqlite:///{file}")
        migrate(source)
        with reader(source).connect() as old, writer(engine).begin() as new:
            check_empty(new)
            copy_rows(old, new)
        source.dispose()
    finally:
        engine.dispose()


def check_empty(connection: Connection) -> None:
    """Raises StoreError where any of our tables has a row."""
    counts = {table.name: count(connection, table) for table in tables()}
    held = ", ".join(f"{rows} in {name}" for name, rows in counts.items() if rows)
    if held:
        message = f"the database is not empty, it has rows: {held}"
        raise StoreError(message, param="database.url", value=None)


def check(file: Path) -> None:
    """Raises StoreError unless the file is a whole SQLite database."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            [found] = database.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise StoreError(f"the record in the backup is damaged: {found}", param=None, value=None)


def _save_sqlite(engine: Engine, file: Path) -> None:
    """SQLite's own copy of one moment, which waits for no writer and lets none wait."""
    assert engine.url.database, "several processes share a file"
    with (
        closing(sqlite3.connect(engine.url.database)) as source,
        closing(sqlite3.connect(file)) as target,
    ):
        source.backup(target)


def _copy(source: Engine, file: Path) -> None:
    target = connect(f"sqlite:///{file}")
    migrate(target)
    with source.connect() as old, writer(target).begin() as new:
        copy_rows(old, new)
    with target.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    target.dispose()


def copy_rows(old: Connection, new: Connection) -> None:
    """Every row of one database into another that has none, and which numbers new rows get."""
    for table in tables():
        every = select(table).order_by(*table.primary_key).execution_options(yield_per=ROWS)
        for some in old.execute(every).mappings().partitions(ROWS):
            new.execute(insert(table), [dict(row) for row in some])
        _go_on_counting(new, table, last_number(old, table))


def last_number(connection: Connection, table: Table) -> int | None:
    """The highest number that a row of the table ever had, those that were deleted among them where
    none may be given twice. None of a table that is not numbered, or never had a row.
    """
    column = table.autoincrement_column
    if column is None:
        return None
    if not _gives_none_twice(table):
        highest: int | None = connection.execute(select(func.max(column))).scalar()
        return highest
    if connection.dialect.name == "sqlite":
        asked = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
    else:
        asked = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:quoted, :column))")
    names = {"table": table.name, "quoted": f'"{table.name}"', "column": column.name}
    known = {name: value for name, value in names.items() if f":{name}" in asked.text}
    number: int | None = connection.execute(asked, known).scalar()
    return number


def _go_on_counting(connection: Connection, table: Table, last: int | None) -> None:
    """Number new rows from after the last one: rows that came with numbers of their own do not move
    PostgreSQL's sequences, and move SQLite's to the highest that is still there.
    """
    column = table.autoincrement_column
    if last is None or column is None:
        return
    if connection.dialect.name == "sqlite" and not _gives_none_twice(table):
        return  # it counts from the highest that is there
    if connection.dialect.name == "sqlite":
        names = {"table": table.name, "last": last}
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), names)
        connection.execute(text("INSERT INTO sqlite_sequence VALUES (:table, :last)"), names)
    else:
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"),
            {"table": f'"{table.name}"', "column": column.name, "last": last},
        )


def _gives_none_twice(table: Table) -> bool:
    """Whether a number stays taken when its row is deleted."""
    return bool(table.dialect_options["sqlite"]["autoincrement"])


def count(connection: Connection, table: Table) -> int:
    """How many rows it has."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def tables() -> list[Table]:
    """Ours, each after those that it refers to."""
    return list(Row.metadata.sorted_tables)
