"""The record into another database, exactly: SQLite to PostgreSQL when one machine is no longer
enough, or back.

1. The source is read as it is at one moment, and is left as it was.
2. The target must have no rows. All of them go in by one transaction, which reads them back and
   commits only if each table has as many as the source and the same digest.
3. Numbers go on from the highest that was ever given.

It is no replication: what is written to the source afterwards is not in the target.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.exc import DBAPIError

from .copying import ROWS, check_empty, copy_rows, last_number, tables
from .database import connect, migrate, reader, writer
from .errors import StoreError

DIGITS = 2**256


@dataclass(frozen=True)
class TableSum:
    """What a table holds. `digest` is the sum of its rows' SHA-256, so that no order is needed: two
    databases sort texts each in their own way. `last` is the highest number ever given.
    """

    name: str
    rows: int
    digest: str
    last: int | None


def move(source: str, target: str) -> list[TableSum]:
    """Copy the record from one address to an empty database at another; what each table holds.

    Raises StoreError, and then has left the target without rows: where it had some, where the two
    are one, and where a table came out otherwise.
    """
    with ExitStack() as stack:
        old, new = (stack.enter_context(_opened(url)) for url in (source, target))
        if old.url == new.url:
            raise StoreError("the record is there already", param="to", value=None)
        reading = stack.enter_context(reader(old).connect())
        writing = stack.enter_context(writer(new).begin())
        check_empty(writing)
        before = sums(reading)
        try:
            copy_rows(reading, writing)
        except DBAPIError as error:
            message = f"the database does not take a row: {error.orig}"
            raise StoreError(message, param="to", value=None) from None
        after = sums(writing)
        check_same(before, after)
        return after


def sums(connection: Connection) -> list[TableSum]:
    """What every table holds."""
    return [_sum(connection, table) for table in tables()]


def check_same(before: list[TableSum], after: list[TableSum]) -> None:
    """Raises StoreError for the first table that differs."""
    for old, new in zip(before, after, strict=True):
        if old != new:
            message = f"{old.name} would not be the same: {_told(old)} became {_told(new)}"
            raise StoreError(message, param="to", value=None)


def _told(held: TableSum) -> str:
    last = "" if held.last is None else f", numbered up to {held.last}"
    return f"{held.rows} rows of digest {held.digest[:12]}{last}"


def _sum(connection: Connection, table: Table) -> TableSum:
    rows, total = 0, 0
    every = select(table).execution_options(yield_per=ROWS)
    for some in connection.execute(every).mappings().partitions(ROWS):
        rows += len(some)
        total += sum(_digest(dict(row)) for row in some)
    return TableSum(table.name, rows, f"{total % DIGITS:064x}", last_number(connection, table))


def _digest(row: Mapping[str, Any]) -> int:
    """Of every column's value and its type: True is not 1, and 1 not 1.0."""
    written = repr(sorted((str(name), value) for name, value in row.items()))
    return int.from_bytes(hashlib.sha256(written.encode("utf-8", "surrogatepass")).digest())


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    """A database with its tables up to date."""
    engine = connect(url)
    try:
        migrate(engine)
        yield engine
    finally:
        engine.dispose()
