"""The page's doors where people sign in: who gets through, by what, and what ends it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.signed_in import PASSWORD, House, house

KEY = "open sesame"
COOKIE = "rankloop-session"


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    flags = ("--key", KEY, "--ui.public_url", "https://rank.example")
    with house(tmp_path_factory.mktemp("shut"), *flags, key=KEY) as opened:
        yield opened


@pytest.fixture
def browser(shut: House) -> Iterator[httpx.Client]:
    with shut.browser() as opened:
        yield opened


def token_of(browser: httpx.Client) -> str | None:
    return browser.cookies.get(COOKIE)


@pytest.mark.parametrize(
    "path",
    [
        "/config",
        "/gradio_api/info",
        "/gradio_api/queue/data?session_hash=x",
        "/theme.css",
        "/take/ticket",
        "/password",
        "/nowhere",
        "/SIGN-IN",
        "//sign-in",
        "/sign-in/",
        "/sign-in/../config",
        "/invitation/x",
    ],
)
def test_nothing_is_answered_before_one_signs_in(browser: httpx.Client, path: str) -> None:
    """Whatever it is and however it is spelled, by any method; the page leads to the form."""
    url = f"{str(browser.base_url).rstrip('/')}{path}"
    for how in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"):
        assert browser.request(how, url).status_code == 401, how
    first = browser.get("/")
    assert (first.status_code, first.headers["location"]) == (303, "/sign-in")
    assert browser.get("/livez").status_code == 200


def test_no_function_of_a_component_is_called_before_one_signs_in(browser: httpx.Client) -> None:
    """Files come in by those."""
    sent = {"data": {"lines": "", "format": "hh"}, "fn_name": "data_bring", "component_id": "1"}
    brought = browser.post("/gradio_api/component_server/", json={**sent, "session_hash": "x"})
    assert brought.status_code == 401


def test_invitation_then_password_then_out_and_in_again(shut: House, browser: httpx.Client) -> None:
    """The whole way; the server then knows ada by the session that the cookie holds."""
    assert "Choose a password" in browser.get("/invitation").text
    joined = shut.join(browser, "ada")
    assert (joined.status_code, joined.headers["location"]) == (303, "/")
    assert browser.get("/config").status_code == 200
    first = token_of(browser)
    out = browser.post("/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert token_of(browser) is None
    assert browser.get("/config").status_code == 401
    assert shut.sign_in(browser, "ada").status_code == 303
    assert token_of(browser) not in (None, first)
    me = httpx.get(
        f"{shut.server.url}/v1/me", headers={"authorization": f"Bearer {token_of(browser)}"}
    )
    assert me.json()["person"] == "ada"


def test_a_wrong_password_says_so_and_opens_nothing(shut: House, browser: httpx.Client) -> None:
    """What was typed as the name stays, whatever it is, as text; the password does not."""
    name = '"><script>alert(1)</script>'
    answer = shut.sign_in(browser, name, "not the password")
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "not the password" not in answer.text
    assert token_of(browser) is None
    assert browser.get("/config").status_code == 401


def test_the_owner_still_signs_in_with_the_key(shut: House, browser: httpx.Client) -> None:
    """Any name will do, and the password is the key, which the browser is not given back."""
    assert shut.sign_in(browser, "mia", "wrong").status_code == 401
    assert shut.sign_in(browser, "mia", KEY).status_code == 303
    assert KEY not in str(browser.cookies.jar)
    assert browser.get("/config").status_code == 200


def test_the_cookie_is_for_no_script_and_no_other_site(shut: House, browser: httpx.Client) -> None:
    """HttpOnly and SameSite; behind https also Secure, under a name that only this host can set."""
    plain = shut.join(browser, "ada").headers["set-cookie"].lower()
    assert plain.startswith(f"{COOKIE}=")
    for part in ("httponly", "samesite=lax", "path=/"):
        assert part in plain
    assert "secure" not in plain
    with httpx.Client(base_url=shut.url, trust_env=False) as behind:
        origin = shut.url.replace("http:", "https:")
        behind.headers.update({"origin": origin, "x-forwarded-proto": "https"})
        cookie = shut.sign_in(behind, "ada").headers["set-cookie"]
    assert cookie.startswith(f"__Host-{COOKIE}=")
    assert "; Secure" in cookie
    assert "domain=" not in cookie.lower()


def test_behind_a_proxy_the_page_is_where_it_is_said_to_be(shut: House) -> None:
    """Under that name it is https, also where the proxy does not say so; by whatever name the proxy
    asks for it, forms come from there. Whoever comes from elsewhere is told what to set."""
    form = {"name": "whoever", "password": KEY}
    public, ours = "https://rank.example", {"host": "rank.example"}
    with httpx.Client(base_url=shut.url, trust_env=False) as proxy:
        whole = proxy.post("/sign-in", data=form, headers={**ours, "origin": public})
        assert whole.status_code == 303
        assert whole.headers["set-cookie"].startswith(f"__Host-{COOKIE}=")
        renamed = proxy.post("/sign-in", data=form, headers={"origin": public})
        assert renamed.status_code == 303
        plain = {**ours, "origin": "http://rank.example"}
        assert proxy.post("/sign-in", data=form, headers=plain).status_code == 403
        other = proxy.post("/sign-in", data=form, headers={"origin": "https://other.example"})
        assert other.status_code == 403
        assert "asked from https://other.example" in other.text
        assert "ui.public_url" in other.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_sites_page_does_nothing_in_a_persons_name(
    shut: House, browser: httpx.Client, headers: dict[str, str]
) -> None:
    """Not one POST, of ours or of Gradio's, though the browser sent the cookie along; nor does it
    sign anybody in as somebody else."""
    shut.join(browser, "ada")
    for path in ("/gradio_api/queue/join", "/gradio_api/run/predict", "/sign-out", "/password"):
        assert browser.post(path, headers=headers, json={}).status_code == 403
    assert browser.post("/gradio_api/component_server", headers=headers).status_code == 403
    form = {"name": "ada", "password": PASSWORD}
    assert browser.post("/sign-in", data=form, headers=headers).status_code == 403
    assert browser.get("/config").status_code == 200


def test_another_sites_page_reads_nothing(shut: House, browser: httpx.Client) -> None:
    """A link may lead here; a picture, a script or a frame of another site's may not."""
    shut.join(browser, "ada")
    for mode, expected in (("navigate", 200), ("no-cors", 403), ("cors", 403)):
        headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode}
        assert browser.get("/config", headers=headers).status_code == expected


def test_a_session_that_was_planted_is_never_used(shut: House, browser: httpx.Client) -> None:
    """Whatever the browser came with, another begins; one that was good, somebody else's, is over
    here."""
    with shut.browser() as evil:
        shut.join(evil, "eve")
        planted = token_of(evil)
    assert planted is not None
    for given in ("rs_0123456789ab_" + "0" * 48, planted):
        browser.cookies.clear()
        browser.cookies.set(COOKIE, given)
        shut.join(browser, "ada")
        fresh = [c.value for c in browser.cookies.jar if c.name == COOKIE and c.value != given]
        assert len(fresh) == 1
    bearer = {"authorization": f"Bearer {planted}"}
    assert httpx.get(f"{shut.server.url}/v1/me", headers=bearer).status_code == 401


@pytest.mark.parametrize("asked", ["?next=https://evil.example", "?next=//evil.example", "?to=/x"])
def test_signing_in_leads_to_the_page_and_nowhere_else(
    shut: House, browser: httpx.Client, asked: str
) -> None:
    """Whatever the address says."""
    shut.join(browser, "ada")
    browser.cookies.clear()
    form = {"name": "ada", "password": PASSWORD, "next": "https://evil.example"}
    answer = browser.post(f"/sign-in{asked}", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize("path", ["/", "/sign-in", "/invitation", "/password", "/livez"])
def test_no_page_of_ours_is_shown_in_another(shut: House, browser: httpx.Client, path: str) -> None:
    """So that no click meant for another page lands here."""
    for signed_in in (False, True):
        if signed_in:
            shut.join(browser, "ada")
        headers = browser.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"


def test_pages_with_a_session_are_kept_by_nobody(shut: House, browser: httpx.Client) -> None:
    """Neither a form nor the page whose it says it is."""
    shut.join(browser, "ada")
    for path in ("/", "/password", "/invitation"):
        assert browser.get(path).headers["cache-control"] == "no-store"


def test_what_the_browser_remembers_is_told_apart_by_person(
    shut: House, browser: httpx.Client
) -> None:
    """The page says a mark that is ada's each time, and not bob's; nothing of her name."""
    marks = []
    for name in ("ada", "bob", "ada"):
        browser.cookies.clear()
        shut.join(browser, name)
        said = browser.get("/").headers["set-cookie"]
        found = re.search(r"rankloop-whose=([^;]*)", said)
        assert found is not None
        marks.append(found[1])
        assert name not in said
    assert marks[0] == marks[2] != marks[1]


def test_a_revoked_person_is_out_of_the_page_within_five_seconds(
    shut: House, browser: httpx.Client
) -> None:
    """Also where it was in use until then; the page is told that it may not go on."""
    shut.join(browser, "eve")
    assert browser.get("/config").status_code == 200
    shut.server.store.revoke("eve", actor="test")
    time.sleep(5)
    assert browser.get("/config").status_code == 401
    assert browser.get("/sign-in/state").json() == {"out": True}


def test_a_password_is_changed_with_the_old_one(shut: House, browser: httpx.Client) -> None:
    """Differing or wrong ones change nothing; then the new one is good, and the old is not."""
    shut.join(browser, "fay")
    form = {"old": PASSWORD, "new": "another good one", "again": "a different one"}
    assert browser.post("/password", data=form).status_code == 400
    form["again"] = form["new"]
    wrong = browser.post("/password", data={**form, "old": "not the password"})
    assert (wrong.status_code, "old password is wrong" in wrong.text) == (403, True)
    assert browser.post("/password", data=form).status_code == 303
    assert browser.get("/config").status_code == 200
    with shut.browser() as other:
        assert shut.sign_in(other, "fay").status_code == 401
        assert shut.sign_in(other, "fay", "another good one").status_code == 303


def test_without_keys_all_stays_as_it_is_until_somebody_is_invited(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Nobody signs in; then, within five seconds, everybody has to."""
    with house(tmp_path_factory.mktemp("open")) as opened, opened.browser() as browser:
        assert browser.get("/config").status_code == 200
        assert browser.get("/sign-in").headers["location"] == "/"
        opened.invite("ada")
        time.sleep(5)
        assert browser.get("/config").status_code == 401
        assert opened.join(browser, "ada").status_code == 303
        assert browser.get("/config").status_code == 200
