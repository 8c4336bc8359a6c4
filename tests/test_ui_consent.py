"""With a key a person is asked, in the page itself, whether what they say may be learned from."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.product import Product, running
from tests.test_ui_browser import CHROMIUM, FLAGS, SOON_MS, WIDE, picture

KEY = "open sesame"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("consent") / "data", "builtin", {"key": KEY}) as started:
        yield started


@pytest.fixture
def page(product: Product) -> Iterator[Page]:
    """The chat, signed in."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport=WIDE)  # type: ignore[arg-type]
        opened.set_default_timeout(SOON_MS)
        opened.goto(product.page)
        opened.get_by_label("Name").fill("mia")
        opened.get_by_label("Password").fill(KEY)
        opened.get_by_role("button", name="Sign in").click()
        yield opened
        browser.close()


def test_consent_is_given_and_taken_back(page: Page, product: Product) -> None:
    """The box is empty at first, with its text below; both words are on record, the last counts."""
    box = page.get_by_label("Learn from what I say here")
    text = page.locator("#rl-consent .rl-note")
    expect(text).to_contain_text("may train this service's models", timeout=SOON_MS)
    expect(box).not_to_be_checked()
    picture(page, "consent")
    for said, given in enumerate((1, 0), start=1):
        box.set_checked(bool(given))
        assert words(product, said)[-1] == ("key", given)


def words(product: Product, count: int) -> list[tuple[str, int]]:
    """Who said what on consent, once so many words are on record."""
    found: list[tuple[str, int]] = []
    until = time.monotonic() + SOON_MS / 1000
    while len(found) < count and time.monotonic() < until:
        with sqlite3.connect(product.data / "rankloop.db") as rows:
            found = rows.execute("select person, given from consent order by id").fetchall()
        time.sleep(0.05)
    assert len(found) == count
    return found
