"""The connection to one database: how a transaction begins and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from sqlalchemy import Engine
from sqlmodel import Session

from ..database import connect, lock, migrate, reader, writer


class Transactions:
    """One database; a session is opened by these methods and nowhere else."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader, self._writer = reader(engine), writer(engine)

    @classmethod
    def open(cls, url: str) -> Self:
        """Open `sqlite:///file` or `postgresql://...`, bringing its tables up to date."""
        store = cls(connect(url))
        try:
            migrate(store._engine)
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with Session(self._reader) as session:
            yield session

    @contextmanager
    def _writing(self, lock_name: str | None = None) -> Iterator[Session]:
        """A transaction that commits at the end, alone among those that take the same lock."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            if lock_name is not None:
                lock(session.connection(), lock_name)
            yield session

    def check_writable(self) -> None:
        """Begin a writing transaction and change nothing; raises the database's error if it takes
        none.
        """
        with self._writing() as session:
            session.connection()
