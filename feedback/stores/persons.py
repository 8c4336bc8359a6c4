"""What a person may ask for: what is on record of them, and that it goes."""

from __future__ import annotations

from sqlalchemy import text

from .. import accounts, consents, conversations, erasing, keeping
from ..consents import ConsentInfo
from ..erasing import Erased
from .transactions import Transactions


class Persons(Transactions):
    """What a person may ask for."""

    def consent(self, person: str) -> ConsentInfo:
        """A person's word on being learned from, and what they are asked."""
        with self._reading() as session:
            return consents.info(session, person)

    def say_consent(self, person: str, *, given: bool, version: str) -> ConsentInfo:
        """Append a person's word, to this version of the text. Raises InvalidText, and StoreError
        for a yes to another text than that of now.
        """
        conversations.check_name("user", person)
        conversations.check_name("version", version)
        with self._writing("rankings") as session:
            return consents.say(session, person, given, version)

    def erase(self, person: str) -> Erased:
        """Empty all that is this person's, and tell which rounds and versions had used it; no later
        round learns from it, and they sign in no longer. Raises InvalidText.
        """
        conversations.check_name("user", person)
        with self._writing("rankings") as session:
            erased = erasing.erase(session, person)
            accounts.erase(session, person)
        self._forget_the_log()
        return erased

    def forget(self, keep_days: int) -> int:
        """Empty some of the conversations that are older and that nobody has judged; how many
        requests that were, 0 when none is left.
        """
        with self._writing("rankings") as session:
            count = keeping.forget(session, keep_days)
        if count:
            self._forget_the_log()
        return count

    def _forget_the_log(self) -> None:
        """Take what was overwritten out of SQLite's write-ahead log, as far as nobody reads it."""
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).all()
