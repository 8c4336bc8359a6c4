"""People sign in at an OpenID provider, which runs here: over the API and over the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr, ValidationError

from server.doors.sign_in_settings import OidcSettings
from tests.openid_provider import CLIENT, SECRET, Claims, OpenIdProvider, openid_provider
from tests.signed_in import House, house

BACK = "http://127.0.0.1:1/sign-in/openid/back"
ADMITS: dict[str, Any] = {"labelers": ("chat", "rank"), "ops": ("operate",)}


@pytest.fixture(scope="module")
def running_provider() -> Iterator[OpenIdProvider]:
    with openid_provider() as started:
        yield started


@pytest.fixture
def provider(running_provider: OpenIdProvider) -> OpenIdProvider:
    """It, as it was at first."""
    running_provider.reset()
    return running_provider


@pytest.fixture(scope="module")
def shut(
    running_provider: OpenIdProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    oidc = OidcSettings(
        issuer=running_provider.url,
        client_id=CLIENT,
        client_secret=SecretStr(SECRET),
        label="Campus",
        admits=ADMITS,
    )
    with house(tmp_path_factory.mktemp("oidc"), oidc=oidc) as opened:
        yield opened


def begun(shut: House) -> dict[str, str]:
    """A sign-in that the browser has come back from: what was kept, with the code."""
    url = f"{shut.server.url}/v1/sessions/openid/begin"
    kept: dict[str, str] = httpx.post(url, json={"redirect_uri": BACK}).json()
    back = urlsplit(httpx.get(kept["url"]).headers["location"])
    told = parse_qs(back.query)
    assert told["state"] == [kept["state"]]
    return {**kept, "redirect_uri": BACK, "code": told["code"][0]}


def ended(shut: House, kept: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{shut.server.url}/v1/sessions/openid", json=kept, timeout=30)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_whoever_the_provider_lets_in_has_the_scopes_of_their_groups(
    shut: House, provider: OpenIdProvider
) -> None:
    """ada is a labeler; the next day an operator too, and by another name there still ada here."""
    answer = ended(shut, begun(shut))
    assert answer.status_code == 201, answer.text
    assert (answer.json()["person"], answer.json()["scopes"]) == ("ada", ["chat", "rank"])
    provider.claims |= {"preferred_username": "ada l", "groups": ["labelers", "ops"]}
    later = ended(shut, begun(shut)).json()
    assert (later["person"], later["scopes"]) == ("ada", ["chat", "rank", "operate"])
    bearer = {"authorization": f"Bearer {later['token']}"}
    assert httpx.get(f"{shut.server.url}/v1/me", headers=bearer).json()["way"] == "openid"


def test_claims_may_come_from_userinfo(shut: House, provider: OpenIdProvider) -> None:
    """Where the ID token lacks the groups."""
    provider.claims["sub"], provider.claims["preferred_username"] = "18", "uma"
    provider.only_userinfo = frozenset({"groups"})
    assert ended(shut, begun(shut)).json()["scopes"] == ["chat", "rank"]


@pytest.mark.parametrize("groups", [["staff"], [], "staff", None, 7])
def test_whoever_is_in_no_group_that_is_admitted_stays_outside(
    shut: House, provider: OpenIdProvider, groups: object
) -> None:
    """Also where the claim is missing or nonsense; nobody is put on record."""
    provider.claims = {"sub": "19", "preferred_username": "out", "groups": groups}
    assert refused(ended(shut, begun(shut))) == (403, "not_admitted")
    assert "out" not in [info.person for info, _ in shut.server.store.accounts()]


def test_nobody_takes_a_name_that_is_somebodys_here(shut: House, provider: OpenIdProvider) -> None:
    """bob was invited; the provider's bob is another until an operator says otherwise."""
    shut.invite("bob")
    provider.claims |= {"sub": "20", "preferred_username": "bob"}
    assert refused(ended(shut, begun(shut))) == (409, "name_taken")


@pytest.mark.parametrize(
    "alter",
    [
        lambda claims: {**claims, "nonce": "another"},
        lambda claims: {name: v for name, v in claims.items() if name != "nonce"},
        lambda claims: {**claims, "aud": "another client"},
        lambda claims: {**claims, "aud": [CLIENT, "another client"], "azp": "another client"},
        lambda claims: {**claims, "iss": "https://evil.example"},
        lambda claims: {**claims, "exp": int(time.time()) - 3600},
        lambda claims: {**claims, "iat": int(time.time()) + 3600},
        lambda claims: {name: v for name, v in claims.items() if name != "sub"},
    ],
    ids=["nonce", "no-nonce", "aud", "azp", "iss", "expired", "future", "no-sub"],
)
def test_an_id_token_for_anything_else_is_refused(
    shut: House, provider: OpenIdProvider, alter: Callable[[Claims], Claims]
) -> None:
    """Of another sign-in, client, issuer or time; the answer holds nothing of it."""
    provider.alter = alter
    assert refused(ended(shut, begun(shut))) == (401, "not_admitted")


@pytest.mark.parametrize("signed", ["by another", "with the secret", "not at all"])
def test_an_id_token_that_the_provider_did_not_sign_is_refused(
    shut: House, provider: OpenIdProvider, signed: str
) -> None:
    """By another key of the same name; by what the client knows too; by nobody, though the provider
    says that it may be so."""
    if signed == "by another":
        provider.key = RSAKey.generate_key(2048, {"kid": "1"})
    elif signed == "with the secret":
        provider.key, provider.header = OctKey.import_key(SECRET), {"alg": "HS256", "kid": "1"}
    else:
        provider.header = {"alg": "none"}
    assert refused(ended(shut, begun(shut))) == (401, "not_admitted")


@pytest.mark.parametrize("field", ["code", "verifier", "nonce", "redirect_uri"])
def test_a_code_is_good_with_what_it_began_with_and_once(
    shut: House, provider: OpenIdProvider, field: str
) -> None:
    """Not with another verifier, nonce, address or code; nor a second time."""
    kept = begun(shut)
    wrong = "http://127.0.0.1:2/" if field == "redirect_uri" else "x" * 64
    assert refused(ended(shut, {**kept, field: wrong})) == (401, "not_admitted")
    good = begun(shut)
    assert ended(shut, good).status_code == 201
    assert refused(ended(shut, good)) == (401, "not_admitted")


def test_an_address_that_is_not_verified_is_nobodys(provider: OpenIdProvider) -> None:
    """Where people are called, or let in, by it."""
    from server.doors.oidc import Provider
    from server.errors import ApiError

    settings = OidcSettings(
        issuer=provider.url,
        client_id=CLIENT,
        name="email",
        claim="email",
        admits={"a@b.c": ["chat"]},
    )
    claims = {"iss": provider.url, "sub": "1", "email": "a@b.c"}
    for verified in (False, None, "true"):
        with pytest.raises(ApiError, match="not verified"):
            Provider(settings)._somebody({**claims, "email_verified": verified})
    found = Provider(settings)._somebody({**claims, "email_verified": True})
    assert (found.name, found.scopes) == ("a@b.c", ("chat",))


def test_a_provider_is_set_whole_or_not_at_all() -> None:
    """Without the client's id nobody gets in; without `admits` nobody would."""
    for lacking in ({"admits": ADMITS}, {"client_id": CLIENT}):
        with pytest.raises(ValidationError, match="issuer is set"):
            OidcSettings.model_validate({"issuer": "https://id.example", **lacking})
    text = '{"labelers": ["chat"]}'
    whole = {"issuer": "https://id.example", "client_id": CLIENT, "admits": text}
    assert OidcSettings.model_validate(whole).admits == {"labelers": ("chat",)}


def test_the_page_goes_there_and_back(shut: House, provider: OpenIdProvider) -> None:
    """The form has a link; whoever comes back where they left is in."""
    provider.claims |= {"sub": "21", "preferred_username": "pia"}
    with shut.browser() as browser:
        assert "Go to Campus" in browser.get("/sign-in").text
        away = browser.get("/sign-in/openid")
        assert away.headers["location"].startswith(f"{provider.url}/authorize?")
        back = httpx.get(away.headers["location"]).headers["location"]
        cross = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        done = browser.get(back, headers=cross)
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert browser.get("/config").status_code == 200
        assert "none to change" in browser.get("/password").text


def test_nobody_is_signed_in_by_anothers_code(shut: House, provider: OpenIdProvider) -> None:
    """A link with a code that this browser did not ask for does nothing, nor an earlier one."""
    with shut.browser() as mallory, shut.browser() as browser:
        away = mallory.get("/sign-in/openid").headers["location"]
        back = httpx.get(away).headers["location"]
        assert browser.get(back).status_code == 400
        browser.get("/sign-in/openid")
        assert browser.get(back).status_code == 400
        assert browser.get("/config").status_code == 401
