"""feedback.accounts and feedback.sessions, on both databases."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from feedback import copying
from feedback.accounts import FORM as INVITATION
from feedback.errors import NameTaken, NotAdmitted, StoreError, UnknownAccount, UnknownKey
from feedback.sessions import FORM as SESSION
from feedback.store import Store
from tests.feedback_databases import a_generation, execute

DAY_S = 86400.0
KEPT = "what argon2 made of it"


def invited(store: Store, person: str = "ada", *scopes: str) -> str:
    return store.invite(person, scopes or ("chat", "rank"), lifetime_s=DAY_S, actor="test")[1]


def signed_in(store: Store, person: str = "ada") -> str:
    """A session by way of an invitation."""
    return store.redeem(invited(store, person), KEPT, lifetime_s=DAY_S)[1]


def test_an_invitation_is_kept_as_its_digest_alone(store: Store, url: str) -> None:
    """And a session likewise: the secret of neither is in any column."""
    invitation = invited(store)
    _, session = store.redeem(invitation, KEPT, lifetime_s=DAY_S)
    for form, text, table in (
        (INVITATION, invitation, "invitation"),
        (SESSION, session, "sign_in"),
    ):
        found = form.fullmatch(text)
        assert found is not None
        [row] = execute(url, f"SELECT * FROM {table}")
        assert found[1] in str(row)
        assert found[2] not in str(row)


def test_an_invitation_is_good_once(store: Store) -> None:
    """The second time it is refused, and the password of the first stays."""
    invitation = invited(store)
    assert store.invited(invitation) == "ada"
    info, session = store.redeem(invitation, KEPT, lifetime_s=DAY_S)
    assert (info.person, info.scopes, info.way) == ("ada", ("chat", "rank"), "invitation")
    with pytest.raises(NotAdmitted):
        store.redeem(invitation, "another", lifetime_s=DAY_S)
    assert store.password_of("ada") == KEPT
    assert store.session_holder(session, "") is not None


def test_an_invitation_expires(store: Store, url: str) -> None:
    """A day's invitation of a day ago is none."""
    invitation = invited(store)
    execute(url, "UPDATE invitation SET expires_at = expires_at - :day", day=DAY_S)
    with pytest.raises(NotAdmitted):
        store.invited(invitation)


def test_a_later_invitation_ends_the_earlier(store: Store) -> None:
    """Whoever was invited twice comes in by the second, with what that one allows."""
    first, second = invited(store), invited(store, "ada", "read")
    with pytest.raises(NotAdmitted):
        store.invited(first)
    assert store.redeem(second, KEPT, lifetime_s=DAY_S)[0].scopes == ("read",)


@pytest.mark.parametrize("name", ["deleted", "local", "key"])
def test_nobody_is_invited_as_everybody(store: Store, name: str) -> None:
    """Those are whose the emptied rows are, and those of whoever has the machine or its key."""
    with pytest.raises(StoreError, match="nobody's own name"):
        invited(store, name)


def test_a_session_is_good_whole_or_not_at_all(store: Store) -> None:
    """With another last character, or another session's secret, it is none."""
    one, other = signed_in(store, "ada"), signed_in(store, "bob")
    last = "0" if one[-1] != "0" else "1"
    mixed = "_".join([*one.split("_")[:2], other.split("_")[2]])
    for wrong in (one[:-1] + last, mixed, "rs_"):
        assert store.session_holder(wrong, "") is None


def test_what_a_session_opens_is_its_accounts(store: Store) -> None:
    """ada is given another scope while she is signed in."""
    session = signed_in(store)
    invited(store, "ada", "chat", "operate")
    info = store.session_holder(session, "")
    assert info is not None
    assert info.scopes == ("chat", "operate")


def test_a_session_expires_and_is_forgotten(store: Store, url: str) -> None:
    """With the next that begins its row goes."""
    session = signed_in(store)
    execute(url, "UPDATE sign_in SET expires_at = expires_at - :day", day=DAY_S)
    assert store.session_holder(session, "") is None
    signed_in(store, "bob")
    assert execute(url, "SELECT person FROM sign_in") == [("bob",)]


def test_the_owners_session_ends_with_the_key(store: Store) -> None:
    """It is good with the key that it began with, and with no other, nor with none."""
    info, session = store.sign_in_owner("open sesame", lifetime_s=DAY_S)
    assert info.person is None
    assert store.session_holder(session, "open sesame") is not None
    assert store.session_holder(session, "another") is None
    assert store.session_holder(session, "") is None


def test_signing_out_ends_one_session(store: Store) -> None:
    """ada's at home goes on."""
    work = signed_in(store)
    home = store.sign_in("ada", KEPT, lifetime_s=DAY_S)
    info = store.session_holder(work, "")
    assert info is not None
    store.sign_out(info.id)
    assert store.session_holder(work, "") is None
    assert store.session_holder(home[1], "") is not None


def test_a_password_that_was_changed_meanwhile_signs_nobody_in(store: Store) -> None:
    """Whoever knew the old one is not let in by it, whenever they had typed it."""
    signed_in(store)
    store.set_password("ada", "the new one", actor="test")
    with pytest.raises(NotAdmitted):
        store.sign_in("ada", KEPT, lifetime_s=DAY_S)


def test_a_new_password_ends_every_session(store: Store) -> None:
    """But for the one that begins with it."""
    old = signed_in(store)
    _, new = store.change_password("ada", KEPT, "the new one", lifetime_s=DAY_S)
    assert store.session_holder(old, "") is None
    assert store.session_holder(new, "") is not None


def test_a_password_is_only_for_whoever_was_invited(store: Store) -> None:
    """A typing mistake makes nobody."""
    with pytest.raises(UnknownAccount, match="users invite eve"):
        store.set_password("eve", KEPT, actor="test")


def test_whoever_is_revoked_signs_in_no_longer(store: Store) -> None:
    """Neither by session, nor by password, nor by an open invitation; bob is left alone."""
    session, bobs = signed_in(store), signed_in(store, "bob")
    invitation = invited(store)
    assert store.revoke("ada", actor="test").signed_in
    assert store.session_holder(session, "") is None
    assert store.password_of("ada") is None
    with pytest.raises(NotAdmitted):
        store.invited(invitation)
    assert store.session_holder(bobs, "") is not None
    assert not store.revoke("ada", actor="test").signed_in
    with pytest.raises(UnknownKey):
        store.revoke("eve", actor="test")


def test_whoever_was_invited_shuts_the_door(store: Store) -> None:
    """As with the first key: nobody comes in without, and silence is no consent."""
    assert not store.any_key()
    assert store.consent("bob").holds
    invited(store)
    assert store.any_key()
    assert not store.consent("bob").holds


def test_erasing_takes_sessions_and_password_and_leaves_the_door_shut(
    store: Store, url: str
) -> None:
    """No row names ada, she is signed out, and nobody comes in without a key all the same."""
    session = signed_in(store)
    invited(store)
    store.erase("ada")
    assert store.session_holder(session, "") is None
    assert execute(url, "SELECT person, password FROM account") == [("deleted", None)]
    assert execute(url, "SELECT id FROM invitation") == []
    assert store.any_key()
    signed_in(store, "bob")
    store.erase("bob")
    assert store.accounts() == []


def test_an_openid_person_keeps_their_name_and_has_todays_scopes(store: Store) -> None:
    """The same subject by another name is the same person; they may do what was said last."""
    terms = {"lifetime_s": DAY_S}
    assert store.admit("https://a.example 1", "ada", ["chat"], **terms)[0].person == "ada"
    info, _ = store.admit("https://a.example 1", "ada lovelace", ["chat", "rank"], **terms)
    assert (info.person, info.scopes) == ("ada", ("chat", "rank"))


def test_an_openid_person_takes_nobodys_name(store: Store) -> None:
    """Neither an account's, nor that of a key, nor that under which somebody spoke before."""
    signed_in(store, "ada")
    store.issue_key("bob", ["chat"], actor="test")
    store.record_generation(a_generation(person="cyd"))
    for name in ("ada", "bob", "cyd", "key"):
        with pytest.raises(NameTaken):
            store.admit("https://a.example 1", name, ["chat"], lifetime_s=DAY_S)


def test_a_revoked_openid_person_is_not_let_in_again(store: Store) -> None:
    """The provider still says who it is; that they may not is ours to say."""
    store.admit("https://a.example 1", "ada", ["chat"], lifetime_s=DAY_S)
    store.revoke("ada", actor="test")
    with pytest.raises(NotAdmitted):
        store.admit("https://a.example 1", "ada", ["chat"], lifetime_s=DAY_S)


def test_a_backup_holds_accounts_and_sessions(store: Store, url: str, tmp_path: Path) -> None:
    """Brought into another database, whoever was signed in is, and the password is the same."""
    session = signed_in(store)
    there = f"sqlite:///{tmp_path / 'there.db'}"
    copying.save(url, tmp_path / "saved.db")
    copying.load(tmp_path / "saved.db", there)
    with closing(Store.open(there)) as restored:
        info = restored.session_holder(session, "")
        assert info is not None
        assert info.person == "ada"
        assert restored.password_of("ada") == KEPT


def test_what_operators_do_is_on_record_without_a_secret(store: Store) -> None:
    """Invitation, password and end."""
    invitation = invited(store)
    store.redeem(invitation, KEPT, lifetime_s=DAY_S)
    store.set_password("ada", "the new one", actor="test")
    store.revoke("ada", actor="test")
    acts = store.audit(3)
    assert [info.act.act for info in acts] == ["users revoke", "users password", "users invite"]
    assert invitation.split("_")[2] not in str(acts)
    assert "the new one" not in str(acts)
