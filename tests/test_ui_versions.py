"""The versions tab in a real browser: try, compare blind, and go back, each with its reason.

`PICTURES=docs/images pytest tests/test_ui_versions.py` takes the picture of the documentation.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from benchmarks.product import Product, running
from tests.test_ui_browser import SOON_MS, browser, page, picture, publish, tab

__all__ = ["browser", "page"]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("product") / "data", "builtin", {}) as started:
        yield started


def choose(page: Page, id: str, reason: str) -> None:
    page.locator("#rl-version input").click()
    page.get_by_role("option", name=id, exact=True).click()
    page.get_by_label("Reason (kept on record)").fill(reason)


def test_a_version_is_tried_compared_and_rolled_back(page: Page, product: Product) -> None:
    """Without a reason nothing happens. A verdict takes one key, and only then are the names shown;
    it counts in the trial, in the comparison and in the progress tab.
    """
    first = publish(product, "v0")
    product.api.post(f"/v1/versions/{first}/promote", reason="the first one")
    second = publish(product, first)
    tab(page, "Versions")
    expect(page.locator(".rl-lineage .rl-leaf").first).to_contain_text("v0", timeout=SOON_MS)
    choose(page, second, " ")
    result = page.locator("#rl-versions-result")
    page.get_by_role("button", name="Try on some people").click()
    expect(result).to_contain_text("Say why")
    choose(page, second, "it looks good")
    page.get_by_role("button", name="Try on some people").click()
    expect(result).to_have_text(f"{second} is canary now.")
    expect(page.locator("#rl-trial")).to_contain_text(f"{second} is on trial")

    page.get_by_label("Prompt (empty").fill("What is the opposite of hot?")
    page.get_by_role("button", name="Compare blind").click()
    arena = page.locator("#rl-battle")
    expect(arena.locator(".rl-card")).to_have_count(2, timeout=SOON_MS)
    expect(arena.locator(".rl-badge")).to_have_count(0)
    page.keyboard.press("1")
    expect(arena.locator(".rl-badge")).to_have_count(2, timeout=SOON_MS)
    names = set(arena.locator(".rl-badge").all_inner_texts())
    assert names == {first, second}
    expect(arena.locator(".rl-summary")).to_contain_text("You put")
    expect(page.locator("#rl-compared")).to_contain_text("By 1 ranking")
    expect(page.locator("#rl-trial")).to_contain_text("0 tied", timeout=SOON_MS)
    picture(page, "battle")

    page.get_by_label("Reason (kept on record)").fill("the first one is rude")
    page.get_by_label("and learn nothing").check()
    page.get_by_role("button", name="Roll back").click()
    expect(result).to_contain_text(f"v0 is live now, in place of {first}; 1 ranking set aside")
    tab(page, "Progress")
    expect(page.locator("#rl-standings")).to_contain_text("v0, the starting model, is live.")
    assert product.api.get(f"/v1/versions/{second}")["state"] == "verified"
