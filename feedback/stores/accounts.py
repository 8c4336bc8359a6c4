"""Who may sign in, and who is signed in."""

from __future__ import annotations

from collections.abc import Sequence

from .. import accounts, audit, conversations, sessions
from ..accounts import AccountInfo
from ..audit import Act
from ..errors import NotAdmitted
from ..sessions import SessionInfo
from .transactions import Transactions

LOCK = "accounts"


class Accounts(Transactions):
    """Who may sign in, and who is signed in. Every session comes with the only copy of its text."""

    def invite(
        self, person: str, scopes: Sequence[str] | None, *, lifetime_s: float, actor: str
    ) -> tuple[AccountInfo, str]:
        """An invitation's text, its only copy, with which a person chooses a password once within
        so many seconds. Without `scopes` somebody who is known keeps theirs. Raises InvalidText,
        StoreError.
        """
        conversations.check_name("user", person)
        with self._writing(LOCK) as session:
            info, text = accounts.invite(session, person, scopes, lifetime_s)
            told = f"{person}: with {', '.join(info.scopes)}"
            audit.write(session, Act(actor, "users invite", told), outcome=200)
            return info, text

    def invited(self, text: str) -> str:
        """Whom this invitation is for; raises NotAdmitted unless it is good now."""
        with self._reading() as session:
            return accounts.invited(session, text)

    def redeem(self, text: str, kept: str, *, lifetime_s: float) -> tuple[SessionInfo, str]:
        """Use an invitation up for this password, and sign in by it. Raises NotAdmitted."""
        with self._writing(LOCK) as session:
            person = accounts.redeem(session, text, kept)
            return sessions.begin(session, person, "invitation", lifetime_s)

    def accounts(self) -> list[tuple[AccountInfo, float | None]]:
        """Everybody who may, or might, sign in, by name, and when they were last seen."""
        with self._reading() as session:
            seen = sessions.last_uses(session)
            return [(info, seen.get(info.person)) for info in accounts.listed(session)]

    def password_of(self, person: str) -> str | None:
        """What is kept of a person's password, if they have one and may sign in."""
        with self._reading() as session:
            return accounts.password_of(session, person)

    def set_password(self, person: str, kept: str, *, actor: str) -> None:
        """An operator's doing; the person is signed out. Raises UnknownAccount."""
        with self._writing(LOCK) as session:
            accounts.set_password(session, person, kept)
            audit.write(session, Act(actor, "users password", person), outcome=200)

    def sign_in(
        self, person: str, kept: str, *, lifetime_s: float, anew: str | None = None
    ) -> tuple[SessionInfo, str]:
        """Begin a session for whoever knew this password, if it is theirs still; `anew` is the same
        password as it is kept from now on. Raises NotAdmitted.
        """
        with self._writing(LOCK) as session:
            if accounts.password_of(session, person) != kept:
                raise NotAdmitted("the password was changed meanwhile")
            if anew is not None:
                accounts.keep_anew(session, person, anew)
            return sessions.begin(session, person, "password", lifetime_s)

    def change_password(
        self, person: str, kept: str, anew: str, *, lifetime_s: float
    ) -> tuple[SessionInfo, str]:
        """Another password for whoever knew this one, if it is theirs still: every session of
        theirs ends, and a new one begins. Raises NotAdmitted.
        """
        with self._writing(LOCK) as session:
            if accounts.password_of(session, person) != kept:
                raise NotAdmitted("the password was changed meanwhile")
            accounts.set_password(session, person, anew)
            return sessions.begin(session, person, "password", lifetime_s)

    def sign_in_owner(self, key: str, *, lifetime_s: float) -> tuple[SessionInfo, str]:
        """Begin the owner's session, which ends when the key is another."""
        with self._writing(LOCK) as session:
            return sessions.begin(session, None, "key", lifetime_s, binding=key)

    def admit(
        self, subject: str, name: str, scopes: Sequence[str], *, lifetime_s: float
    ) -> tuple[SessionInfo, str]:
        """Begin a session for whom an OpenID provider means. Raises InvalidText, NotAdmitted,
        NameTaken, StoreError.
        """
        conversations.check_name("user", name)
        with self._writing(LOCK) as session:
            person = accounts.admit(session, subject, name, scopes)
            return sessions.begin(session, person, "openid", lifetime_s)

    def session_holder(self, text: str, key: str) -> SessionInfo | None:
        """The session of this text, if it is good now and, the owner's, of this key; that it was
        used is noted once a minute.
        """
        with self._reading() as session:
            info = sessions.holder(session, text, key)
            news = info is not None and sessions.use_is_news(session, info)
        if info is not None and news:
            with self._writing(LOCK) as session:
                sessions.note_use(session, info.id)
        return info

    def sign_out(self, id: str) -> None:
        """End one session."""
        with self._writing(LOCK) as session:
            sessions.end(session, id)
