"""What holds on every tab: no word is run, no serious finding of axe, keys reach everything, and
at twice the size nothing is cut off.

One page on a record full of payloads serves the whole file; each test goes to its tab.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.stuffed import PAYLOADS, stuff
from tests.test_ui_browser import SOON_MS, WIDE, browser, tab, visiting
from tests.ui_running import site

__all__ = ["browser"]

READER = PAYLOADS[6]
"""Whose name the page is told: an image that runs something where it is taken for one."""

KEYS_AT_MOST = 400
REACHABLE = """() => [...document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [tabindex="0"]')]
  .filter((one) => !one.disabled && one.tabIndex >= 0
    && one.checkVisibility({ visibilityProperty: true })
    && !one.closest('[inert]') && !(one.type === 'radio' && !one.checked))
  .forEach((one, i) => { one.dataset.reach = i; })"""
LEFT = (
    "() => [...document.querySelectorAll('[data-reach]')].map((one) => one.outerHTML.slice(0, 200))"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("every tab")
    with site(folder) as running:
        stuff(running.server.store, READER)
        with visiting(browser, running.url) as opened:
            opened.locator("#rl-person input").fill(READER)
            yield opened


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A file whose every line is refused for what it holds."""
    path = tmp_path / "bad.jsonl"
    rows = [{"prompt": one, "completion": one, "label": one} for one in PAYLOADS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def in_chat(page: Page, _lines: Path) -> None:
    """The conversation of before, then the payloads typed."""
    if page.locator(".rl-user").count():
        return
    page.get_by_role("button", name="Earlier chats").click()
    page.locator(".rl-past-row").first.click(timeout=SOON_MS)
    expect(page.locator(".rl-turn")).to_have_count(2, timeout=SOON_MS)
    page.locator("#rl-count input[value='2']").check()
    page.locator("#rl-box textarea").fill("\n".join(PAYLOADS[:12]))
    page.locator("#rl-box textarea").press("Enter")
    expect(page.locator(".rl-cards > li")).to_have_count(2, timeout=SOON_MS)
    expect(page.locator(".rl-turn")).to_have_count(3)


def in_label(page: Page, _lines: Path) -> None:
    expect(page.locator("#rl-label .rl-cards > li")).to_have_count(4, timeout=SOON_MS)


def in_demonstrate(page: Page, _lines: Path) -> None:
    if not page.locator("#rl-draft .rl-turn").count():
        page.locator("#rl-draft-box textarea").fill("\n".join(PAYLOADS))
        page.get_by_role("button", name="Add turn").click()
    expect(page.locator("#rl-draft .rl-turn")).to_have_count(1, timeout=SOON_MS)


def in_data(page: Page, lines: Path) -> None:
    page.locator(".rl-file").set_input_files(lines)
    page.locator(".rl-format").select_option("trl-unpaired")
    page.get_by_role("button", name="Import").click()
    said = f"{len(PAYLOADS)} refused"
    expect(page.locator(".rl-report")).to_contain_text(said, timeout=SOON_MS)
    expect(page.locator(".rl-sets tbody tr")).to_have_count(len(PAYLOADS), timeout=SOON_MS)


def in_learner(page: Page, _lines: Path) -> None:
    expect(page.locator(".rl-round")).to_have_count(1, timeout=SOON_MS)
    unfold(page)


def in_versions(page: Page, _lines: Path) -> None:
    expect(page.locator(".rl-version").first).to_be_visible(timeout=SOON_MS)
    unfold(page)


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


TABS: dict[str, Callable[[Page, Path], None]] = {
    "Chat": in_chat,
    "Label": in_label,
    "Demonstrate": in_demonstrate,
    "Data": in_data,
    "Learner": in_learner,
    "Versions": in_versions,
}
each = pytest.mark.parametrize("name", TABS)


def go(page: Page, name: str, lines: Path) -> None:
    tab(page, name)
    TABS[name](page, lines)


@each
def test_words_are_shown_and_never_run(page: Page, name: str, lines: Path) -> None:
    """Every payload stands on the tab as it was written; nothing of it has run or loaded."""
    go(page, name, lines)
    shown = page.locator("#rl-tabs > [role=tabpanel]:visible").text_content() or ""
    assert [payload for payload in PAYLOADS if payload not in shown] == []
    assert page.evaluate("[window.ran, window.opener, document.title]") == [None, None, "Rankloop"]


@each
def test_axe_finds_nothing_serious(page: Page, name: str, lines: Path) -> None:
    """No finding of the impacts serious and critical, in light and dark."""
    go(page, name, lines)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(500)
        assert findings(page) == []
    page.emulate_media(color_scheme="light")


def findings(page: Page) -> list[str]:
    """What is wrong, with the elements that it is wrong with."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@each
def test_twice_the_size_needs_no_sideways_scrolling(page: Page, name: str, lines: Path) -> None:
    """A window of 1280 points at 200 % has 640: all is in them, tables in frames."""
    go(page, name, lines)
    page.set_viewport_size({"width": 640, "height": 430})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]


@each
def test_keys_reach_everything(page: Page, name: str, lines: Path) -> None:
    """Tab goes through every button, field and frame that can be seen."""
    go(page, name, lines)
    page.evaluate(REACHABLE)
    page.evaluate("document.activeElement.blur()")
    for _ in range(KEYS_AT_MOST):
        page.keyboard.press("Tab")
        if page.evaluate(
            "() => { const at = document.activeElement; delete at.dataset.reach;"
            " return !document.querySelector('[data-reach]'); }"
        ):
            break
    assert page.evaluate(LEFT) == []
