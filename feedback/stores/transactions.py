"""The connection to one database: how a transaction begins and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from sqlalchemy import Engine
from sqlmodel import Session

from ..consents import OPT_IN
from ..database import connect, lock, migrate, reader, writer


class Transactions:
    """One database; a session is opened by these methods and nowhere else."""

    def __init__(self, engine: Engine, *, opt_in: bool = False) -> None:
        self._engine = engine
        self._info = {OPT_IN: opt_in}
        self._reader, self._writer = reader(engine), writer(engine)

    @classmethod
    def open(cls, url: str, *, opt_in: bool = False) -> Self:
        """Open `sqlite:///file` or `postgresql://...`, bringing its tables up to date. `opt_in`:
        nobody consents to being learned from by saying nothing.
        """
        store = cls(connect(url), opt_in=opt_in)
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
        with Session(self._reader, info=self._info) as session:
            yield session

    @contextmanager
    def _writing(self, lock_name: str | None = None) -> Iterator[Session]:
        """A transaction that commits at the end, alone among those that take the same lock."""
        session = Session(self._writer, expire_on_commit=False, info=self._info)
        with session, session.begin():
            if lock_name is not None:
                lock(session.connection(), lock_name)
            yield session

    def check_writable(self) -> None:
        """Begin a writing transaction and change nothing; raises the database's error if it takes
        none.
        """
        with self._writing() as session:
            session.connection()
