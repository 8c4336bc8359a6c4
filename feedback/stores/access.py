"""Keys, what their holders were given, and what operators did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import accounts, audit, conversations, issued, keys
from ..audit import Act, AuditInfo
from ..errors import UnknownCandidate
from ..keys import KeyInfo
from .transactions import Transactions


@dataclass(frozen=True)
class Revoked:
    """What ended: keys that were good, and whether the person might sign in."""

    keys: tuple[KeyInfo, ...]
    signed_in: bool


class Keys(Transactions):
    """Keys, what their holders were given, and what operators did."""

    def issue_key(
        self,
        person: str,
        scopes: Sequence[str],
        *,
        lifetime_s: float | None = None,
        actor: str,
    ) -> tuple[KeyInfo, str]:
        """A new key for a person, and the only copy of its text, which ends after so many seconds.
        Raises InvalidText, StoreError.
        """
        conversations.check_name("user", person)
        with self._writing("keys") as session:
            info, key = keys.issue(session, person, scopes, lifetime_s)
            told = f"{person}: key {info.id} with {', '.join(info.scopes)}"
            audit.write(session, Act(actor, "users add", told), outcome=200)
            return info, key

    def revoke(self, whose: str, *, actor: str) -> Revoked:
        """End the key of this id; or all keys of the person of this name, who may not sign in any
        longer and is signed out. Raises UnknownKey.
        """
        with self._writing("keys") as session:
            signed_in = accounts.end(session, whose)
            ended = keys.revoke(session, whose)
            told = f"{whose}: keys {', '.join(info.id for info in ended) or 'none'}"
            told += "; signs in no longer" if signed_in else ""
            audit.write(session, Act(actor, "users revoke", told), outcome=200)
            return Revoked(tuple(ended), signed_in)

    def key_holder(self, key: str) -> KeyInfo | None:
        """The key of this text, if it is good now; that it was used is noted once a minute."""
        with self._reading() as session:
            info = keys.holder(session, key)
            news = info is not None and keys.use_is_news(session, info)
        if info is not None and news:
            with self._writing("keys") as session:
                keys.note_use(session, info.id)
        return info

    def issued_keys(self) -> list[KeyInfo]:
        """Every key there ever was, by person."""
        with self._reading() as session:
            return keys.listed(session)

    def any_key(self) -> bool:
        """Whether anybody was ever given a key, or invited."""
        with self._reading() as session:
            return keys.any_issued(session)

    def check_issued(
        self,
        person: str,
        candidates: Sequence[str] | None,
        completion_id: str | None = None,
        *,
        within_s: float,
    ) -> None:
        """Raises UnknownCandidate for answers that the person was not given, and NotIssued for
        those that they were given longer ago.
        """
        with self._reading() as session:
            chosen = list(candidates or ())
            if completion_id is not None:
                found = issued.choices(session, completion_id)
                if not found:
                    message = f"no completion has the id {completion_id!r}"
                    raise UnknownCandidate(message, param="completion_id", value=completion_id)
                chosen += found
            issued.check(session, person, chosen, within_s)

    def show_answers(self, person: str, candidates: Sequence[str]) -> None:
        """Note that the person was shown these fresh answers, and so may judge them; raises
        InvalidText.
        """
        conversations.check_name("user", person)
        with self._writing() as session:
            issued.show(session, person, candidates)

    def check_task_issued(self, person: str, task_id: str) -> None:
        """Raises UnknownTask for an item of the queue that the person was never given."""
        with self._reading() as session:
            issued.check_task(session, person, task_id)

    def begin_act(self, act: Act) -> int:
        """Put what an operator asks for on record, before it is done; its number."""
        with self._writing() as session:
            return audit.write(session, act)

    def end_act(self, id: int, outcome: int) -> None:
        """Say what the act came to: an HTTP status."""
        with self._writing() as session:
            audit.close(session, id, outcome)

    def audit(self, limit: int = 100) -> list[AuditInfo]:
        """The last acts of operators, newest first."""
        with self._reading() as session:
            return audit.last(session, limit)
