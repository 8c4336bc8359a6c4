"""The page in a real browser, on the product as its user starts it, with the built-in model.

One Rankloop serves the whole file; every test opens a browser of its own, without memories.
`PICTURES=docs/images pytest tests/test_ui_browser.py` takes the pictures of the documentation.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from benchmarks.product import Product, running
from feedback.settings import DatabaseSettings
from feedback.store import Store
from policy.versions import Versions

# Two cores may be busy with other tests: these are bounds, not expectations.
SOON_MS = 60_000
ROUND_MS = 400_000
WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURES = os.environ.get("PICTURES")
PAYLOAD = "${window.ran=1} {{this}} <img src=x onerror='window.ran=1'> [a](javascript:ran=1)"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    few = {
        "learner.ppo.steps": "2",
        "learner.ppo.prompts_per_step": "4",
        "learner.gate.regression_prompts": "20",
        "learner.gate.win_prompts": "20",
    }
    with running(tmp_path_factory.mktemp("product") / "data", "builtin", few) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@contextmanager
def visiting(
    browser: Browser, address: str, *, before: str | None = None, **more: Any
) -> Iterator[Page]:
    """The page at this address, by a person of its own, once it knows its server; no script fails
    in it, and it asks nobody else. `before`: a script that runs ahead of the page's own."""
    context = browser.new_context(viewport=WIDE, device_scale_factor=1.5, **more)  # type: ignore[arg-type]
    opened = context.new_page()
    if before is not None:
        opened.add_init_script(before)
    errors: list[str] = []
    asked: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.set_default_timeout(SOON_MS)
    opened.goto(address)
    expect(opened.locator(".rl-waiting")).to_be_visible(timeout=SOON_MS)
    yield opened
    context.close()
    assert errors == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


@pytest.fixture
def page(product: Product, browser: Browser) -> Iterator[Page]:
    """The first page of a new person."""
    with visiting(browser, product.page) as opened:
        yield opened


def ask(page: Page, text: str, answers: int = 4) -> None:
    page.locator(f"#rl-count input[value='{answers}']").check()
    page.locator("#rl-box textarea").fill(text)
    page.keyboard.press("Enter")


def cards(page: Page) -> Locator:
    """The answers, once all of them are complete."""
    expect(page.get_by_role("button", name=re.compile("Skip"))).to_be_enabled(timeout=SOON_MS)
    return page.locator(".rl-cards > li")


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(2000)
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def pid_of(product: Product, name: str) -> int:
    """The process that was started last under that name."""
    log = (product.data / "rankloop.log").read_text(encoding="utf-8")
    return int(re.findall(rf"spawned: '{name}' with pid (\d+)", log)[-1])


def last_ranking(product: Product) -> tuple[list[str], int, float, str]:
    """Under which circumstances it was given."""
    with sqlite3.connect(product.data / "rankloop.db") as db:
        query = "SELECT shown, blind, seconds, input FROM ranking ORDER BY id DESC"
        shown, *others = db.execute(query).fetchone()
    return json.loads(shown), *others


def test_the_first_page_says_who_everybody_is(page: Page) -> None:
    """Without keys everybody is local, and rankings train the model."""
    welcome = page.locator(".rl-welcome")
    expect(welcome).to_contain_text("everybody here is local")
    expect(welcome).to_contain_text("rankings train the model")


def test_an_answer_names_the_version_that_gave_it(page: Page) -> None:
    """One answer continues the conversation by itself."""
    ask(page, "Hello!", answers=1)
    expect(page.locator(".rl-model .rl-badge")).to_have_text("v0", timeout=SOON_MS)
    expect(page.locator(".rl-model .rl-text")).not_to_be_empty()


def test_a_click_on_a_word_shows_what_it_was_drawn_from(page: Page) -> None:
    """The clicked word in bold among others, with bars; closing leaves the answer alone."""
    ask(page, "What is the opposite of hot?", answers=1)
    text = page.locator(".rl-model .rl-text[data-words]")
    expect(text).not_to_be_empty()
    text.click(position={"x": 1, "y": 10})  # a first word may be as narrow as a dash
    panel = page.locator(".rl-odds")
    expect(panel.locator(".rl-drawn")).to_have_count(1)
    first = panel.locator(".rl-lead b").inner_text().replace("\N{OPEN BOX}", " ").strip()
    assert text.inner_text().startswith(first)
    assert panel.locator(".rl-odd").count() >= 10
    picture(page, "odds")
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_have_count(0)
    expect(text).not_to_be_empty()


def test_four_answers_take_five_keys(page: Page, product: Product) -> None:
    """Digits rank, Enter submits: B and C tie for best, so B goes on. How it was done is on record:
    four answers under their version's name, by keys, in some time.
    """
    before = product.api.get("/v1/learner")["waiting"]["rankings"]
    ask(page, "What is the opposite of hot?")
    second = cards(page).nth(1).locator(".rl-text").inner_text()
    for key in ("2", "1", "1", "3"):
        page.keyboard.press(key)
    expect(page.locator(".rl-summary")).to_have_text("B = C  >  A  >  D")
    picture(page, "compare")
    page.keyboard.press("Enter")
    expect(page.locator(".rl-mark")).to_have_text("ranked best of 4")
    assert page.locator(".rl-model .rl-text").inner_text() == second
    shown, blind, seconds, input = last_ranking(product)
    assert (len(shown), bool(blind), input) == (4, False, "keys")
    assert seconds > 0
    assert product.api.get("/v1/learner")["waiting"]["rankings"] == before + 1
    expect(page.locator(".rl-waiting")).to_contain_text(f"{before + 1} of 32 rankings")


def test_a_thumb_is_recorded_with_its_reason(page: Page, product: Product) -> None:
    """A click presses it, a sentence says why; both are on record under the answer."""
    ask(page, "Hello!", answers=1)
    page.get_by_role("button", name="Bad answer").click()
    expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    why = page.locator("#rl-why input, #rl-why textarea")
    why.fill("too curt")
    why.press("Enter")
    expect(page.locator("#rl-why")).to_be_hidden()
    expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    with sqlite3.connect(product.data / "rankloop.db") as rows:
        kept = rows.execute("select value, comment from mark order by id").fetchall()
    assert kept[-2:] == [(0.0, None), (0.0, '"too curt"')]


def test_an_edited_message_is_a_branch_that_comes_back(page: Page) -> None:
    """Two ways that a chat went are both found among the earlier chats, and either goes on."""
    ask(page, "Name a colour, please.", answers=1)
    expect(page.get_by_role("button", name="Another answer")).to_be_visible(timeout=SOON_MS)
    ask(page, "And an animal.", answers=1)
    expect(page.locator(".rl-model")).to_have_count(2, timeout=SOON_MS)
    expect(page.get_by_role("button", name="Edit")).to_have_count(2)
    page.get_by_role("button", name="Edit").last.click()
    expect(page.locator("#rl-box textarea")).to_have_value("And an animal.")
    ask(page, "And a town.", answers=1)
    expect(page.locator(".rl-model")).to_have_count(2, timeout=SOON_MS)
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".rl-welcome")).to_be_visible()
    page.get_by_role("button", name="Earlier chats").click()
    panel = page.locator(".rl-past")
    picture(page, "history")
    panel.get_by_role("button", name="Name a colour, please.").first.click()
    expect(panel.get_by_role("heading")).to_have_text("This chat went 2 ways")
    panel.get_by_role("button", name="And an animal.").click()
    expect(page.locator(".rl-user .rl-text").last).to_have_text("And an animal.")
    expect(panel).to_have_count(0)


def test_another_answer_takes_the_place_of_the_last(page: Page, product: Product) -> None:
    """With a system prompt and a length: both reach the server, and both answers stay on record."""
    page.get_by_role("button", name="More").click()
    page.locator("#rl-system textarea").fill("Answer in one sentence.")
    page.locator("#rl-longest input[type=number]").fill("16")
    ask(page, "Tell me of the sea.", answers=1)
    page.get_by_role("button", name="Another answer").click()
    until = time.monotonic() + SOON_MS / 1000
    # What the page shows of the first answer stands until the second comes.
    while (listed := product.api.get("/v1/conversations")["data"][0])["answers"] < 2:
        assert time.monotonic() < until, "no second answer was asked for"
        time.sleep(0.1)
    expect(page.locator(".rl-model")).to_have_count(1, timeout=SOON_MS)
    expect(page.get_by_role("button", name="Another answer")).to_be_visible(timeout=SOON_MS)
    picture(page, "chat")
    assert listed["answers"] == 2
    turns = product.api.get(f"/v1/conversations/{listed['id']}")["turns"]
    assert turns[0]["text"] == "Answer in one sentence."
    candidate = product.api.get(f"/v1/candidates/{turns[-1]['candidate']}")
    assert candidate["params"]["max_tokens"] == 16


def test_buttons_rank_on_a_phone(page: Page) -> None:
    """The same with a finger, on a narrow window, and an answer left unranked."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    ask(page, "Name three animals.", answers=2)
    cards(page)
    page.get_by_role("button", name="Answer B: rank 1 of 2").click()
    submit = page.get_by_role("button", name="Submit ranking")
    expect(submit).to_be_disabled()
    page.get_by_role("button", name="Answer A: rank 2 of 2").click()
    picture(page, "phone")
    submit.click()
    expect(page.locator(".rl-mark")).to_have_text("ranked best of 2")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_words_are_never_run(page: Page) -> None:
    """What people and models write is shown as it is written."""
    ask(page, PAYLOAD, answers=2)
    expect(page.locator(".rl-user .rl-text")).to_have_text(PAYLOAD)
    cards(page)
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Edit").click()
    expect(page.locator("#rl-box textarea")).to_have_value(PAYLOAD)
    assert page.evaluate("window.ran") is None


def test_a_server_that_dies_costs_nobody_a_word(page: Page, product: Product) -> None:
    """A banner says it, what was typed stays, and the page goes on when the server is back."""
    page.locator("#rl-box textarea").fill("Are you there?")
    os.kill(pid_of(product, "server"), signal.SIGKILL)
    page.locator("#rl-box textarea").press("Enter")
    expect(page.locator(".rl-open")).to_contain_text("Your message is kept.")
    banner = page.locator(".rl-banner")
    expect(banner).to_contain_text(re.compile("does not answer|loads its model"))
    expect(banner).to_have_count(0, timeout=SOON_MS)
    page.get_by_role("button", name="Try again").click()
    expect(cards(page)).to_have_count(4, timeout=SOON_MS)


def test_answers_wait_while_the_page_is_restarted(page: Page, product: Product) -> None:
    """An unfinished ranking survives the UI process, and then a reload.

    The page's line is cut first: a quick machine starts the process again between two looks.
    """
    ask(page, "Can you recommend a film?", answers=3)
    first = cards(page).nth(0).inner_text()
    page.route("**/*", lambda route: route.abort())
    os.kill(pid_of(product, "ui"), signal.SIGKILL)
    banner = page.locator(".rl-banner")
    expect(banner).to_contain_text("cannot reach Rankloop", timeout=SOON_MS)
    page.unroute("**/*")
    expect(banner).to_have_count(0, timeout=SOON_MS)
    page.reload()
    assert cards(page).nth(0).inner_text() == first
    for key in ("1", "2", "3", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".rl-mark")).to_have_text("ranked best of 3")


def test_a_round_can_be_run_and_watched(page: Page, product: Product) -> None:
    """A button starts it, a bar shows where it is, and it ends with an outcome and reasons."""
    for number in range(16):
        rank_shortest_first(product, f"What is {number} plus two?")
    tab(page, "Learner")
    page.get_by_role("button", name="Run a round now").click()
    expect(page.locator("#rl-learner-result")).to_contain_text("Round 1 is")
    expect(page.locator("#rl-learner progress")).to_be_visible(timeout=ROUND_MS)
    expect(page.locator("#rl-curves")).to_contain_text("Reward model: loss", timeout=ROUND_MS)
    first = page.locator(".rl-round").last
    ended = re.compile("promoted|rejected|needs feedback")
    expect(first.locator(".rl-outcome")).to_have_text(ended, timeout=ROUND_MS)
    first.locator("summary").click()
    expect(first.locator("tbody tr").first).to_be_visible()
    page.evaluate("scrollTo({ top: 0 })")
    picture(page, "learner")


def rank_shortest_first(product: Product, question: str) -> None:
    """One ranking by another person, over the API."""
    replies = product.api.replies([{"role": "user", "content": question}], n=4, user="ada")
    lengths = sorted({len(reply.text) for reply in replies})
    ranks = [lengths.index(len(reply.text)) + 1 for reply in replies]
    candidates = [reply.candidate for reply in replies]
    product.api.post("/v1/rankings", candidates=candidates, ranks=ranks, user="ada")


def test_a_new_version_is_told_of_where_people_chat(page: Page, product: Product) -> None:
    """Promoted by hand with a reason, it answers the prompt ranked last, beside the old one."""
    live = live_version(product)
    ask(page, "Hello! My name is Mia.")
    cards(page)
    for key in ("1", "2", "2", "3", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".rl-mark")).to_have_text("ranked best of 4")
    id = publish(product, live)
    tab(page, "Versions")
    page.locator("#rl-version input").click()
    page.get_by_role("option", name=id, exact=True).click()
    page.get_by_label("Reason (kept on record)").fill("it is politer")
    page.get_by_role("button", name="Promote").click()
    expect(page.locator("#rl-versions-result")).to_have_text(f"{id} is live now.")
    picture(page, "versions")
    tab(page, "Chat")
    news = page.locator(".rl-news")
    expect(news).to_contain_text(f"{id} is live", timeout=SOON_MS)
    expect(news).to_contain_text("Hello! My name is Mia.")
    expect(news.locator(".rl-badge")).to_have_text([live, id], timeout=SOON_MS)
    expect(news.locator(".rl-text").nth(1)).not_to_be_empty()
    picture(page, "news")


def live_version(product: Product) -> str:
    versions = product.api.get("/v1/versions")["data"]
    return str(next(version["id"] for version in versions if version["live"]))


def publish(product: Product, parent: str) -> str:
    """A verified version: the live one's weights, a little disturbed."""
    versions = Versions(product.data / "versions")
    model = versions.load(parent)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.add_(1e-3 * torch.randn(weight.shape, generator=generator))
    store = Store.open(DatabaseSettings().resolve(Path(product.data)))
    id = store.next_id("v")
    manifest = versions.publish(id, model, kind="full", parent=parent, round=None)
    store.register_version(id, digest=manifest.digest, parent=parent, kind="full")
    store.verify(id, actor="test", reason="published by a test")
    store.close()
    return id
