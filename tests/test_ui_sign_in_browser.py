"""People sign in with a real browser, by invitation and by password, and see what is theirs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.signed_in import PASSWORD, House, house
from tests.test_ui_browser import SOON_MS, WIDE, ask, browser, cards, tab

__all__ = ["browser"]

PICTURES = os.environ.get("PICTURES")
KEY = "open sesame"
OPERATE = ["Promote", "Roll back to the previous", "Reject", "Pin the live one"]


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("shut"), key=KEY) as opened:
        yield opened


@contextmanager
def at(browser: Browser, address: str) -> Iterator[Page]:
    """A new person's browser at this address; no script fails in it, and it asks nobody else."""
    context = browser.new_context(viewport=WIDE, device_scale_factor=1.5)  # type: ignore[arg-type]
    opened = context.new_page()
    errors: list[str] = []
    asked: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.set_default_timeout(SOON_MS)
    opened.goto(address)
    yield opened
    ours = address.split("#")[0].removesuffix("/invitation")
    context.close()
    assert errors == []
    assert [url for url in asked if not url.startswith((ours, "data:", "blob:"))] == []


def link(house: House, name: str, *scopes: str) -> str:
    """An invitation as it is printed."""
    told = urlencode({"name": name, "invitation": house.invite(name, *scopes)})
    return f"{house.url}/invitation#{told}"


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def choose(page: Page) -> None:
    """The password of an invitation."""
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Come in").click()


def ready(page: Page) -> None:
    """The page knows its server, and whom it is for."""
    expect(page.locator(".rl-waiting")).to_be_visible(timeout=SOON_MS)
    expect(page.locator(".rl-person")).to_be_visible(timeout=SOON_MS)


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(2000)
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def test_invited_chats_ranks_leaves_and_comes_back(shut: House, browser: Browser) -> None:
    """By a link first, which then is gone from the address; later by name and password. What she
    ranked is on record as hers, and the chat is there again."""
    with at(browser, link(shut, "ada")) as page:
        expect(page.get_by_label("Name")).to_have_value("ada")
        assert page.url == f"{shut.url}/invitation"
        picture(page, "invitation")
        choose(page)
        ready(page)
        expect(page.locator(".rl-person")).to_have_text("ada")
        expect(page.locator(".rl-welcome")).to_contain_text("Tick the box below")
        expect(page.locator("#rl-person")).to_have_count(0)
        ask(page, "Name three animals.", answers=2)
        cards(page)
        for key in ("1", "2", "Enter"):
            page.keyboard.press(key)
        expect(page.locator(".rl-mark")).to_have_text("ranked best of 2", timeout=SOON_MS)
        picture(page, "signed-in")
        assert [past.title for past in shut.server.store.conversations("ada", 10)] == [
            "Name three animals."
        ]
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.goto(shut.url)
        assert page.url == f"{shut.url}/sign-in"
        sign_in(page, "ada")
        ready(page)
        expect(page.locator(".rl-user .rl-text")).to_have_text("Name three animals.")


def test_a_wrong_password_is_said_on_the_form(shut: House, browser: Browser) -> None:
    """The name stays in its field; there is no serious finding of axe on the form."""
    with at(browser, shut.url) as page:
        sign_in(page, "ada", "not the password")
        expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
        expect(page.get_by_label("Name")).to_have_value("ada")
        expect(page.get_by_label("Password")).to_have_value("")
        picture(page, "sign-in")
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


def test_a_labeler_sees_what_is_theirs_to_do(shut: House, browser: Browser) -> None:
    """Chat, labelling, demonstrations and which versions there are; no button of an operator."""
    with at(browser, link(shut, "lea")) as page:
        choose(page)
        ready(page)
        expect(page.get_by_role("tab", name="Label")).to_be_visible()
        shown = [one for one in page.get_by_role("tab").all_inner_texts() if one]
        assert shown == ["Chat", "Label", "Demonstrate", "Versions"]
        tab(page, "Versions")
        expect(page.locator("#rl-versions h2")).to_have_text("v0", timeout=SOON_MS)
        for name in [*OPERATE, "Compare blind"]:
            expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_an_operator_sees_the_buttons(shut: House, browser: Browser) -> None:
    """And the tabs with what others did; a pause by the button is on record as theirs."""
    with at(browser, link(shut, "otto", "chat", "rank", "read", "operate")) as page:
        choose(page)
        ready(page)
        tab(page, "Versions")
        for name in OPERATE:
            expect(page.get_by_role("button", name=name)).to_be_visible()
        tab(page, "Learner")
        page.get_by_role("button", name="Pause").click()
        expect(page.locator("#rl-learner-result")).to_contain_text("pauses", timeout=SOON_MS)
        act = shut.server.store.audit(1)[0].act
        assert (act.actor, act.act) == ("otto", "POST /v1/learner/pause")


def test_the_next_person_at_a_browser_sees_nothing_of_the_last(
    shut: House, browser: Browser
) -> None:
    """What the browser remembers of bea's chat goes when cyd signs in."""
    with at(browser, link(shut, "bea")) as page:
        choose(page)
        ready(page)
        ask(page, "What is the opposite of hot?", answers=1)
        expect(page.locator(".rl-model .rl-text")).not_to_be_empty(timeout=SOON_MS)
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in*")
        page.goto(link(shut, "cyd"))
        choose(page)
        ready(page)
        expect(page.locator(".rl-welcome")).to_be_visible()
        expect(page.locator(".rl-user")).to_have_count(0)


def test_a_page_that_is_signed_out_says_so(shut: House, browser: Browser) -> None:
    """Revoked while it is open: within some seconds a banner, and what was typed stays."""
    with at(browser, link(shut, "eve")) as page:
        choose(page)
        ready(page)
        page.locator("#rl-box textarea").fill("Are you there?")
        shut.server.store.revoke("eve", actor="test")
        expect(page.locator(".rl-banner")).to_contain_text(re.compile("no longer signed in"))
        expect(page.locator("#rl-box textarea")).to_have_value("Are you there?")


def test_a_password_is_changed_on_the_page(shut: House, browser: Browser) -> None:
    """The old one, and the new one twice; then the page again."""
    with at(browser, link(shut, "fay")) as page:
        choose(page)
        ready(page)
        page.get_by_role("button", name="Password").click()
        page.get_by_label("Password until now").fill(PASSWORD)
        page.get_by_label("New password").fill("another good one")
        page.get_by_label("The same again").fill("another good one")
        picture(page, "password")
        page.get_by_role("button", name="Change it").click()
        ready(page)


def test_the_owner_signs_in_with_the_key(shut: House, browser: Browser) -> None:
    """And sees every tab and button."""
    with at(browser, shut.url) as page:
        sign_in(page, "me", KEY)
        ready(page)
        expect(page.locator(".rl-person")).to_have_text("the owner")
        expect(page.get_by_role("tab", name="Progress")).to_be_visible()
        assert len([one for one in page.get_by_role("tab").all_inner_texts() if one]) == 7
        tab(page, "Versions")
        expect(page.get_by_role("button", name="Compare blind")).to_be_visible()
