"""feedback.passwords: what is kept, and what is refused."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from feedback import passwords
from feedback.errors import InvalidPassword

GOOD = "correct horse battery"


def test_what_is_kept_is_argon2id_and_never_twice_the_same() -> None:
    """With RFC 9106's figures for little memory: 64 MiB, 3 passes, 4 lanes."""
    one, other = passwords.hashed(GOOD), passwords.hashed(GOOD)
    assert one.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert one != other
    assert GOOD not in one
    assert not passwords.is_old(one)


def test_the_password_fits_and_no_other() -> None:
    """Not even in capitals, nor where what is kept is no such thing."""
    kept = passwords.hashed(GOOD)
    assert passwords.fits(kept, GOOD)
    assert not passwords.fits(kept, GOOD.upper())
    assert not passwords.fits("$argon2id$nonsense", GOOD)


def test_a_name_that_nobody_has_costs_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look with the same figures, and the answer is no, even to the text that it looks at."""
    looked: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, kept: str, password: bytes) -> bool:
        looked.append(kept.rpartition("$")[0].rpartition("$")[0])
        return verify(self, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    assert not passwords.fits(None, "nobody's")
    assert not passwords.fits(passwords.hashed(GOOD), "wrong")
    assert looked == ["$argon2id$v=19$m=65536,t=3,p=4"] * 2


def test_an_accent_may_be_typed_in_two_ways() -> None:
    """As one character, or after its letter."""
    kept = passwords.hashed("caf\N{LATIN SMALL LETTER E WITH ACUTE} au lait")
    assert passwords.fits(kept, "cafe\N{COMBINING ACUTE ACCENT} au lait")


@pytest.mark.parametrize("password", ["short", "x" * 257, "aaaaaaaaaaaa", "Ada Lovelace"])
def test_what_is_easily_guessed_is_refused_and_not_repeated(password: str) -> None:
    """The name itself is no password; the message does not quote what was typed."""
    with pytest.raises(InvalidPassword) as refusal:
        passwords.hashed(password, "ada lovelace")
    assert refusal.value.value is None
    assert password not in str(refusal.value)
