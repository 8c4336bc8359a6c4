"""The demonstrate tab in a real browser, on the product as its user starts it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.product import Product, running
from tests.test_ui_browser import SOON_MS, WIDE, browser, picture, tab

__all__ = ["browser"]

SLOW = """() => {
  const quick = window.fetch;
  window.fetch = (...asked) =>
    new Promise((go) => setTimeout(go, 3000)).then(() => quick(...asked));
}"""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("demonstrate") / "data", "builtin", {}) as started:
        yield started


@pytest.fixture
def page(product: Product, browser: Browser) -> Iterator[Page]:
    """The tab, in a browser without memories."""
    context = browser.new_context(viewport=WIDE, device_scale_factor=1.5)  # type: ignore[arg-type]
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.set_default_timeout(SOON_MS)
    opened.goto(product.page)
    tab(opened, "Demonstrate")
    expect(opened.locator("#rl-draft .rl-lead")).to_be_visible(timeout=SOON_MS)
    yield opened
    context.close()
    assert errors == []


def write(page: Page, text: str, button: str) -> None:
    page.locator("#rl-draft-box textarea").fill(text)
    page.get_by_role("button", name=button).click()


def told(page: Page, text: str) -> None:
    expect(page.locator("#rl-draft-result")).to_contain_text(text, timeout=SOON_MS)


def test_both_sides_are_played_and_kept(page: Page, product: Product) -> None:
    """Two questions and two answers, a reload between: nothing typed is lost, and it is stored."""
    write(page, "What is the opposite of hot?", "Save demonstration")
    told(page, "write the answer")
    write(page, "What is the opposite of hot?", "Add turn")
    expect(page.get_by_label("The assistant should answer")).to_be_visible()
    write(page, "It is cold.", "Add turn")
    expect(page.locator("#rl-draft .rl-turn")).to_have_count(2)
    page.locator("#rl-draft-box textarea").fill("And of big?")
    page.wait_for_timeout(500)
    page.reload()
    tab(page, "Demonstrate")
    expect(page.locator("#rl-draft .rl-turn")).to_have_count(2, timeout=SOON_MS)
    expect(page.locator("#rl-draft-box textarea")).to_have_value("And of big?")
    page.get_by_role("button", name="Add turn").click()
    expect(page.locator("#rl-draft .rl-turn")).to_have_count(3)
    page.locator("#rl-draft-box textarea").fill("It is small.")
    picture(page, "demonstrate")
    page.get_by_role("button", name="Save demonstration").click()
    told(page, "Recorded. 1 wait")
    expect(page.locator("#rl-draft .rl-turn")).to_have_count(0)
    assert product.api.get("/v1/learner")["waiting"]["demonstrations"] == 1


def test_the_models_answer_is_made_better(page: Page, product: Product) -> None:
    """It comes into the box; what is saved is an edited answer of a candidate on record."""
    write(page, "Name three animals.", "Begin from the model's answer")
    expect(page.get_by_label("The assistant should answer")).not_to_be_empty(timeout=SOON_MS)
    expect(page.locator("#rl-draft .rl-turn")).to_have_count(1)
    page.wait_for_timeout(3000)
    page.locator("#rl-draft-box textarea").fill("A cat, a dog and a fox.")
    page.get_by_role("button", name="Save demonstration").click()
    told(page, "Recorded.")
    lines = product.api.client.get("/v1/export", params={"format": "rankloop"}).text.splitlines()
    edited = [line for line in lines if '"edited"' in line and "a fox" in line]
    assert len(edited) == 1


def test_what_is_typed_while_a_click_is_on_its_way_stays(page: Page) -> None:
    """The turn is added, and what was typed on meanwhile is the beginning of the next one."""
    box = page.locator("#rl-draft-box textarea")
    page.evaluate(SLOW)
    write(page, "Hello", "Add turn")
    box.press_sequentially(" and good")
    expect(page.locator("#rl-draft .rl-turn")).to_have_count(0)
    expect(page.locator("#rl-draft .rl-turn")).to_have_text("Person: Hello")
    expect(box).to_have_value(" and good")


def test_what_is_typed_before_the_draft_is_there_stays(page: Page) -> None:
    """It stands behind what was being written when the page was last open."""
    box, turn = page.locator("#rl-draft-box textarea"), page.locator("#rl-draft .rl-turn")
    write(page, "Hello", "Add turn")
    expect(turn).to_have_text("Person: Hello")
    box.fill("Good")
    page.reload()
    page.evaluate(SLOW)
    tab(page, "Demonstrate")
    box.press_sequentially(" evening")
    expect(turn).to_have_count(0)
    expect(turn).to_have_text("Person: Hello", timeout=SOON_MS)
    expect(box).to_have_value("Good evening", timeout=SOON_MS)


def test_a_turn_is_taken_back(page: Page) -> None:
    """Into the box, to be said otherwise."""
    write(page, "Hello", "Add turn")
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_label("A person says")).to_have_value("Hello")
