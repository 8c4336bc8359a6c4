"""The commands `rankloop users`."""

from __future__ import annotations

import sys
from contextlib import closing
from io import StringIO
from pathlib import Path
from urllib.parse import parse_qs

import pytest

import rankloop
from feedback import passwords
from feedback.store import Store
from rankloop_settings import UserError
from rankloop_users import seconds_of


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """A command's status, what it printed, and what it said on stderr."""
    with pytest.raises(SystemExit) as end:
        rankloop.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out, said.err


def test_a_key_is_printed_once_and_listed_without_its_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key alone is on stdout, for scripts; the list has its id, until it is revoked as good."""
    there = ("--data", tmp_path)
    status, key, said = run(capsys, "users", "add", "ada", "--expires", "90d", *there)
    assert status == 0
    assert said.splitlines() == [
        "From now on nobody comes in without a key. To the page people sign in: rankloop users"
        " invite ada",
        "Nobody can look this key up later:",
    ]
    _, id, secret = key.strip().split("_")
    listed = run(capsys, "users", "list", *there)[1]
    assert "ada" in listed
    assert id in listed
    assert secret not in listed
    assert run(capsys, "users", "revoke", "ada", *there) == (0, "", "1 keys revoked\n")
    assert "revoked" in run(capsys, "users", "list", *there)[1]


def test_an_invitation_is_a_link_that_is_printed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind the #, so that it is in no server's log; the list says that one is open."""
    there = ("--data", tmp_path, "--ui.public_url", "https://rank.example")
    status, link, said = run(capsys, "users", "invite", "ada b", "--scopes", "chat,read", *there)
    assert (status, said) == (0, "Good once, for whoever has it:\n")
    page, _, behind = link.strip().partition("#")
    told = parse_qs(behind)
    assert (page, told["name"]) == ("https://rank.example/invitation", ["ada b"])
    [invitation] = told["invitation"]
    with closing(Store.open(f"sqlite:///{tmp_path / 'rankloop.db'}")) as store:
        assert store.invited(invitation) == "ada b"
    listed = run(capsys, "users", "list", "--data", tmp_path)[1]
    assert "chat, read" in listed
    assert "invitation" in listed
    assert invitation.split("_")[2] not in listed


def test_a_password_is_set_for_whoever_was_invited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from standard input where that is no terminal; kept by argon2id. Revoking ends it."""
    there = ("--data", tmp_path)
    run(capsys, "users", "invite", "ada", *there)
    for password, expected in (("short", 2), ("correct horse battery", 0)):
        monkeypatch.setattr(sys, "stdin", StringIO(f"{password}\n"))
        status, out, _ = run(capsys, "users", "password", "ada", *there)
        assert (status, out) == (expected, "")
    with closing(Store.open(f"sqlite:///{tmp_path / 'rankloop.db'}")) as store:
        assert passwords.fits(store.password_of("ada"), "correct horse battery")
    ended = run(capsys, "users", "revoke", "ada", *there)
    assert ended == (0, "", "0 keys revoked; ada signs in no longer\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "ada", "--scopes", "chat,fly"), "a scope is one of chat, rank"),
        (("add", "ada", "--expires", "soon"), "write 30m, 12h or 90d"),
        (("revoke", "eve"), "nobody with one, called 'eve'"),
        (("invite", "local"), "'local' is nobody's own name"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """With status 2, and what would be right."""
    status, _, error = run(capsys, "users", *arguments, "--data", tmp_path)
    assert status == 2
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_setting_may_be_read_from_a_file(tmp_path: Path) -> None:
    """The key without the end of its line; a key that is set itself goes before it."""
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    environment = {"RANKLOOP_KEY_FILE": str(file)}
    for more, expected in (({}, "s3cret"), ({"RANKLOOP_KEY": "other"}, "other")):
        key = rankloop.load_settings(None, {}, environment | more).key
        assert key is not None
        assert key.get_secret_value() == expected


@pytest.mark.parametrize("text", [None, "\n"])
def test_a_file_without_a_key_opens_no_door(tmp_path: Path, text: str | None) -> None:
    """Missing or empty: the process ends, rather than to go on without a key."""
    file = tmp_path / "key"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match="RANKLOOP_KEY_FILE"):
        rankloop.load_settings(None, {}, {"RANKLOOP_KEY_FILE": str(file)})


def test_a_lifetime_is_a_number_and_a_unit() -> None:
    """90 days are 7,776,000 seconds; none is no lifetime."""
    assert [seconds_of(text) for text in ("90d", "12h", "30m")] == [7776000, 43200, 1800]
    for wrong in ("0d", "90", "-1d", "1y"):
        with pytest.raises(UserError):
            seconds_of(wrong)
