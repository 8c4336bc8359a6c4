"""feedback.keys, on both databases."""

from __future__ import annotations

import hashlib

import pytest

from feedback.audit import Act
from feedback.errors import StoreError, UnknownKey
from feedback.keys import FORM
from feedback.store import Store
from tests.feedback_databases import a_generation, execute


def test_a_key_is_kept_as_its_sha_256_alone(store: Store, url: str) -> None:
    """Its text has the id and 192 random bits, and is in no column."""
    info, key = store.issue_key("ada", ["rank", "chat"], actor="test")
    form = FORM.fullmatch(key)
    assert form is not None
    assert form[1] == info.id
    (row,) = execute(url, "SELECT * FROM api_key")
    assert hashlib.sha256(key.encode()).hexdigest() in row
    assert form[2] not in str(row)


def test_a_good_key_has_its_person_and_scopes_and_a_last_use(store: Store) -> None:
    """Scopes are in one order, however they were given; the use is on record from then on."""
    info, key = store.issue_key("ada", ["rank", "chat"], actor="test")
    found = store.key_holder(key)
    assert found is not None
    assert (found.id, found.person, found.scopes) == (info.id, "ada", ("chat", "rank"))
    assert store.issued_keys()[0].last_used_at is not None


def test_revoking_a_person_ends_their_keys_and_nobody_elses(store: Store) -> None:
    """Two of ada's end; bob's is good; to end them again ends none."""
    adas = [store.issue_key("ada", ["chat"], actor="test")[1] for _ in range(2)]
    bobs = store.issue_key("bob", ["chat"], actor="test")[1]
    assert len(store.revoke("ada", actor="test").keys) == 2
    assert [store.key_holder(key) for key in adas] == [None, None]
    assert store.key_holder(bobs) is not None
    assert store.revoke("ada", actor="test").keys == ()


def test_what_is_no_key_is_refused(store: Store) -> None:
    """An unknown scope, none at all, an empty name, somebody who has no key."""
    for name, scopes in (("ada", ["fly"]), ("ada", []), ("", ["chat"])):
        with pytest.raises(StoreError):
            store.issue_key(name, scopes, actor="test")
    with pytest.raises(UnknownKey, match="ada"):
        store.revoke("ada", actor="test")
    assert not store.any_key()


def test_an_act_is_on_record_before_its_outcome(store: Store) -> None:
    """An act that did not come to its end has none."""
    first = store.begin_act(Act("otto", "POST /v1/rounds", reason="why not\0"))
    store.begin_act(Act("otto", "POST /v1/rounds"))
    store.end_act(first, 202)
    assert [info.outcome for info in store.audit()] == [None, 202]
    assert store.audit()[1].act.reason == "why not\0"


def test_once_anybody_has_a_key_silence_is_no_consent(store: Store) -> None:
    """What was said before is as it was; what is said now is not learned from."""
    store.record_generation(a_generation("c1"))
    store.issue_key("ada", ["chat"], actor="test")
    store.record_generation(a_generation("c2"))
    assert store.generation("c1").consented
    assert not store.generation("c2").consented
