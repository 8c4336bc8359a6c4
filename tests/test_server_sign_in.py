"""People sign in over HTTP: by password, by invitation, as the owner; and what ends it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from feedback.keys import SCOPES
from server.doors.sign_in_settings import SignInSettings
from server.settings import ServerSettings
from tests.openai_schemas import check
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny

KEY = "the owner's own key"
PASSWORD = "correct horse battery"
DAY_S = 86400.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("sign_in")
    plenty = SignInSettings(tries_per_name=1000, tries_per_address=1000)
    settings = settings_for(folder / "data", make_tiny(folder / "model"), sign_in=plenty)
    with running(settings.model_copy(update={"key": SecretStr(KEY)})) as server:
        yield server


def call(server: Running, method: str, path: str, body: Any = None, token: str = "") -> Any:
    """A request without the owner's key; `token` goes where a key does."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.request(method, server.url + path, json=body, headers=headers, timeout=60)


def refused(answer: httpx.Response) -> tuple[int, str | None]:
    check(answer.json(), "ErrorResponse")
    return answer.status_code, answer.json()["error"]["code"]


def invited(server: Running, name: str, *scopes: str) -> str:
    chosen = scopes or ("chat", "rank")
    return server.store.invite(name, chosen, lifetime_s=DAY_S, actor="test")[1]


def joined(server: Running, name: str, *scopes: str) -> str:
    """The token of somebody who was invited and has PASSWORD."""
    body = {"invitation": invited(server, name, *scopes), "password": PASSWORD}
    answer = call(server, "POST", "/v1/invitations", body)
    assert answer.status_code == 201, answer.text
    token: str = answer.json()["token"]
    return token


def sign_in(server: Running, name: str, password: str = PASSWORD) -> httpx.Response:
    return call(server, "POST", "/v1/sessions", {"name": name, "password": password})  # type: ignore[no-any-return]


def test_an_invitation_sets_the_password_and_signs_in(server: Running) -> None:
    """Then name and password do; the session is the person's, with the account's scopes."""
    token = joined(server, "ada")
    again = sign_in(server, "ada")
    assert again.status_code == 201
    assert again.headers["cache-control"] == "no-store"
    assert again.json()["token"] != token
    for one in (token, again.json()["token"]):
        me = call(server, "GET", "/v1/me", token=one).json()
        assert (me["person"], me["owner"], me["scopes"]) == ("ada", False, ["chat", "rank"])


def test_a_session_opens_what_a_key_of_those_scopes_does(server: Running) -> None:
    """Chat, in ada's name whoever `user` says; no operator's route, and nobody else's name."""
    token = joined(server, "ada")
    body = {"model": "rankloop", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    answer = call(server, "POST", "/v1/chat/completions", {**body, "user": "bob"}, token)
    [candidate] = answer.json()["rankloop"]["candidates"]
    assert server.store.candidate(candidate).person == "ada"
    assert refused(call(server, "POST", "/v1/learner/pause", {}, token))[0] == 403
    other = call(server, "GET", "/v1/conversations?user=bob", token=token)
    assert refused(other) == (403, "not_your_name")


def test_an_invitation_is_good_once_and_only_for_a_good_password(server: Running) -> None:
    """A password that is refused uses nothing up; one that is taken does."""
    body = {"invitation": invited(server, "bea"), "password": "short"}
    assert refused(call(server, "POST", "/v1/invitations", body)) == (400, "invalid_value")
    body["password"] = PASSWORD
    assert call(server, "POST", "/v1/invitations", body).status_code == 201
    assert refused(call(server, "POST", "/v1/invitations", body)) == (401, "not_admitted")


@pytest.mark.parametrize("name", ["ada", "nobody", "deleted", "local"])
def test_wrong_name_and_wrong_password_look_alike(server: Running, name: str) -> None:
    """Word for word."""
    joined(server, "ada")
    answer = sign_in(server, name, "not the password")
    assert refused(answer) == (401, "not_admitted")
    assert answer.json()["error"]["message"] == "The name or the password is wrong."


@pytest.mark.parametrize("field", ["password", "name"])
@pytest.mark.parametrize("value", ["s3cret-" * 400, 4815162342, ["s3cret"], None])
def test_no_refusal_repeats_a_password(server: Running, field: str, value: Any) -> None:
    """Nor what stands in its place."""
    body = {"name": "ada", "password": PASSWORD, field: value}
    answer = call(server, "POST", "/v1/sessions", body)
    assert answer.status_code == 400
    if field == "password":
        assert "s3cret" not in answer.text
        assert "4815162342" not in answer.text
    assert PASSWORD not in answer.text


def test_the_owner_signs_in_with_the_key_under_any_name(server: Running) -> None:
    """And may do everything, for whom they name."""
    answer = sign_in(server, "whoever", KEY)
    assert (answer.status_code, answer.json()["owner"]) == (201, True)
    token = answer.json()["token"]
    assert KEY not in answer.text
    me = call(server, "GET", "/v1/me", token=token).json()
    assert (me["person"], me["owner"], me["scopes"]) == ("key", True, list(SCOPES))
    named = call(server, "GET", "/v1/me?user=carl", token=token).json()
    assert named["person"] == "carl"
    assert call(server, "GET", "/v1/audit", token=token).status_code == 200


def test_signing_out_ends_the_session_at_once(server: Running) -> None:
    """And that one alone."""
    token, other = joined(server, "ada"), sign_in(server, "ada").json()["token"]
    assert call(server, "DELETE", "/v1/sessions/current", token=token).json()["ended"]
    assert refused(call(server, "GET", "/v1/me", token=token)) == (401, "invalid_api_key")
    assert call(server, "GET", "/v1/me", token=other).status_code == 200


def test_a_key_is_no_session(server: Running) -> None:
    """It signs nobody out, and changes no password."""
    joined(server, "ada")
    _, key = server.store.issue_key("ada", ["chat"], actor="test")
    body = {"old": PASSWORD, "new": "another good one"}
    for method, path, sent in (
        ("DELETE", "/v1/sessions/current", None),
        ("PUT", "/v1/me/password", body),
    ):
        assert refused(call(server, method, path, sent, key)) == (409, "not_signed_in")


def test_a_revoked_persons_session_opens_nothing_after_five_seconds(server: Running) -> None:
    """It was in use until then, so the server had it at hand."""
    token = joined(server, "eve")
    assert call(server, "GET", "/v1/me", token=token).status_code == 200
    server.store.revoke("eve", actor="test")
    time.sleep(5)
    assert refused(call(server, "GET", "/v1/me", token=token)) == (401, "invalid_api_key")
    assert refused(sign_in(server, "eve")) == (401, "not_admitted")


def test_a_new_password_needs_the_old_and_ends_every_session(server: Running) -> None:
    """The wrong old one changes nothing; the right one gives a session in the place of all."""
    token = joined(server, "fay")
    body = {"old": "not the password", "new": "another good one"}
    answer = call(server, "PUT", "/v1/me/password", body, token)
    assert refused(answer) == (403, "not_admitted")
    body["old"] = PASSWORD
    changed = call(server, "PUT", "/v1/me/password", body, token)
    assert changed.status_code == 200, changed.text
    assert call(server, "GET", "/v1/me", token=token).status_code == 401
    assert call(server, "GET", "/v1/me", token=changed.json()["token"]).status_code == 200
    assert refused(sign_in(server, "fay")) == (401, "not_admitted")
    assert sign_in(server, "fay", "another good one").status_code == 201


def test_erasing_takes_the_session_and_the_password(server: Running) -> None:
    """DELETE /v1/me of whoever is signed in."""
    token = joined(server, "gus")
    assert call(server, "DELETE", "/v1/me", token=token).status_code == 200
    time.sleep(2.1)
    assert call(server, "GET", "/v1/me", token=token).status_code == 401
    assert refused(sign_in(server, "gus")) == (401, "not_admitted")


def test_an_operators_act_names_the_session(server: Running) -> None:
    """As it names a key, so that it is known whose doing it was."""
    token = joined(server, "otto", "operate")
    me = call(server, "GET", "/v1/me", token=token).json()
    call(server, "POST", "/v1/versions/v77/promote", {"reason": "it is better"}, token)
    act = server.store.audit(1)[0].act
    assert (act.actor, act.key_id) == ("otto", me["session"])


def test_tries_are_bounded_by_name_and_by_address(tmp_path: Path) -> None:
    """Three of a name, right or wrong, and seven in all: then 429, with the time to wait. What a
    proxy on this machine says of the address counts."""
    few = SignInSettings(tries_per_name=3, tries_per_address=7)
    settings = settings_for(tmp_path / "data", make_tiny(tmp_path / "model"), sign_in=few)
    with running(settings) as server:
        invited(server, "ada")
        statuses = [sign_in(server, "ada", "wrong").status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        statuses = [sign_in(server, f"name {n}", "wrong").status_code for n in range(4)]
        assert statuses == [401, 401, 401, 429]
        limited = sign_in(server, "bob", "wrong")
        assert refused(limited) == (429, "rate_limit_exceeded")
        assert int(limited.headers["retry-after"]) >= 1
        elsewhere = httpx.post(
            f"{server.url}/v1/sessions",
            json={"name": "bob", "password": "wrong"},
            headers={"x-forwarded-for": "192.0.2.7"},
        )
        assert elsewhere.status_code == 401


def test_how_one_signs_in_is_told_to_everybody(server: Running, tmp_path: Path) -> None:
    """Where nobody has a key nobody has to; then only to names of this machine."""
    assert call(server, "GET", "/v1/sessions/ways").json() == {
        "object": "sign_in",
        "needed": True,
        "ways": ["password", "key"],
        "label": None,
    }
    with running(settings_for(tmp_path / "data", make_tiny(tmp_path / "model"))) as open_server:
        assert not call(open_server, "GET", "/v1/sessions/ways").json()["needed"]
        headers = {"host": "evil.example"}
        answer = httpx.get(f"{open_server.url}/v1/sessions/ways", headers=headers)
        assert answer.status_code == 403
        me = call(open_server, "GET", "/v1/me").json()
        assert (me["person"], me["owner"], me["session"]) == ("local", True, None)


def test_the_scopes_that_a_provider_may_give_are_all_there_are() -> None:
    """One list, in two places for the settings' sake."""
    given = {"issuer": "https://id.example", "client_id": "x", "admits": {"all": list(SCOPES)}}
    settings = ServerSettings.model_validate({"oidc": given})
    assert settings.oidc.admits == {"all": SCOPES}
