"""The label tab in a real browser, on the product as its user starts it, with the built-in model.

One Rankloop serves the whole file. A test that needs items imports prompts of its own and labels as
a person of its own, so that what others left does not matter.
`PICTURES=docs/images pytest tests/test_ui_label.py` takes the pictures of the documentation.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from benchmarks.product import Product, running
from feedback.settings import DatabaseSettings
from feedback.store import Store
from tests.feedback_databases import execute
from tests.test_ui_browser import PAYLOAD, PHONE, SOON_MS, WIDE, browser, picture, tab

__all__ = ["browser"]

NEXT_MS = 300


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    plain = {"server.tasks.gold": "0", "server.tasks.repeats": "0", "server.tasks.shared": "0"}
    with running(tmp_path_factory.mktemp("product") / "data", "builtin", plain) as started:
        yield started


@pytest.fixture
def person() -> str:
    """Somebody who has labelled nothing before."""
    return f"rater {uuid4().hex[:8]}"


@pytest.fixture
def page(product: Product, browser: Browser, person: str) -> Iterator[Page]:
    """The label tab, opened by the person; no script error."""
    with opened(product, browser, person) as page:
        yield page


class opened:
    """A browser of its own whose page is the person's label tab."""

    def __init__(self, product: Product, browser: Browser, person: str, **more: Any) -> None:
        self._url, self._person = product.page, person
        size: dict[str, Any] = {"viewport": WIDE, "device_scale_factor": 1.5, **more}
        self._context = browser.new_context(**size)

    def __enter__(self) -> Page:
        self.errors: list[str] = []
        page = self._context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(SOON_MS)
        page.goto(self._url)
        # By then the page has put the name in that this browser remembers.
        expect(page.locator(".rl-waiting")).to_be_visible(timeout=SOON_MS)
        page.locator("#rl-person input").fill(self._person)
        tab(page, "Label")
        return page

    def __exit__(self, *_error: object) -> None:
        self._context.close()
        assert self.errors == []


def bring(product: Product, count: int, text: str = "What is the opposite of hot") -> None:
    """So many prompts that nobody had before."""
    marks = [uuid4().hex[:6] for _ in range(count)]
    prompts = [{"prompt": f"{text}, {mark}?"} for mark in marks]
    product.api.post("/v1/prompts", set=marks[0], prompts=prompts)


def cards(page: Page) -> Locator:
    """The item's answers, once there is one."""
    found = page.locator("#rl-label .rl-cards > li")
    expect(found.first).to_be_visible(timeout=SOON_MS)
    return found


def question(page: Page) -> str:
    cards(page)
    return page.locator("#rl-label .rl-last .rl-text").inner_text()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def another(page: Page, before: str) -> None:
    """Waits for an item that asks something else."""
    expect(page.locator("#rl-label .rl-last .rl-text")).not_to_have_text(before)


def rows(product: Product, person: str) -> list[Any]:
    """The person's rankings, oldest first."""
    url = DatabaseSettings().resolve(Path(product.data))
    query = "SELECT id, supersedes, blind, seconds, input, guidelines, shown FROM ranking"
    return execute(url, f"{query} WHERE person = :person ORDER BY id", person=person)


def ranks(product: Product, id: int) -> list[int | None]:
    """The ranks of a ranking, in the order that its answers were shown in."""
    url = DatabaseSettings().resolve(Path(product.data))
    query = "SELECT rank FROM ranked_candidate WHERE ranking_id = :id ORDER BY place"
    return [row[0] for row in execute(url, query, id=id)]


def test_an_item_takes_five_keys(page: Page, product: Product, person: str) -> None:
    """Four digits and Enter, ties among them; no version is shown, and the next item comes."""
    said = [
        "Hello! My name is Mia.",
        "Hello, Mia! How are you?",
        "Fine. What is the opposite of hot?",
    ]
    roles = ["user", "assistant", "user"]
    turns = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
    product.api.post("/v1/prompts", set="talk", prompts=[{"messages": turns}])
    bring(product, 1)
    before = question(page)
    expect(page.locator("#rl-label .rl-turns .rl-text")).to_have_text(said)
    expect(page.locator("#rl-label .rl-badge")).to_have_count(0)
    press(page, "2", "1", "1", "3")
    expect(page.locator("#rl-label .rl-summary")).to_have_text("B = C  >  A  >  D")
    picture(page, "label")
    press(page, "Enter")
    another(page, before)
    [row] = rows(product, person)
    assert ranks(product, row.id) == [2, 1, 1, 3]
    assert (bool(row.blind), row.input) == (True, "keys")
    assert row.seconds > 0
    assert len(row.guidelines) == 8
    expect(page.locator("#rl-label .rl-progress-line")).to_contain_text("1 done today")


def test_an_item_says_what_to_rank_by(page: Page, product: Product, person: str) -> None:
    """Of a prompt that asks for honesty alone; the ranking is on record as that."""
    mark = uuid4().hex[:6]
    asked = [{"prompt": f"What is the opposite of hot, {mark}?"}]
    product.api.post("/v1/prompts", set=mark, prompts=asked, criteria=["honest"])
    bring(product, 1)
    before = question(page)
    expect(page.locator("#rl-label .rl-by")).to_have_text(
        "Rank by one thing alone: which is most honest?"
    )
    summary = page.locator("#rl-label .rl-summary")
    expect(summary).to_have_text("Which is most honest? Equal ranks are ties.")
    press(page, "2", "1", "1", "3", "Enter")
    another(page, before)
    url = DatabaseSettings().resolve(Path(product.data))
    query = "SELECT criterion FROM ranking WHERE person = :person"
    assert [row.criterion for row in execute(url, query, person=person)] == ["honest"]


def test_t_ties_and_arrows_move(page: Page, product: Product, person: str) -> None:
    """1, t, then back with the arrow and another rank: A 2, B 1; C ties with B; D is unranked."""
    bring(product, 2)
    before = question(page)
    press(page, "1", "t")
    expect(page.locator("#rl-label .rl-summary")).to_contain_text("A = B")
    press(page, "ArrowLeft", "ArrowLeft", "2", "1", "t", "Backspace", "t")
    expect(page.locator("#rl-label .rl-summary")).to_have_text("B = C  >  A   (1 unranked)")
    press(page, "Enter")
    another(page, before)
    [row] = rows(product, person)
    assert ranks(product, row.id) == [2, 1, 1, None]


def test_undo_replaces_what_was_submitted(page: Page, product: Product, person: str) -> None:
    """u shows it with its ranks; the new ranking supersedes, and the item in hand comes back with
    what was said of it so far.
    """
    bring(product, 2)
    first = question(page)
    press(page, "1", "2", "3", "4", "Enter")
    another(page, first)
    second = question(page)
    press(page, "3", "u")
    expect(page.locator("#rl-label .rl-last .rl-text")).to_have_text(first)
    expect(page.locator("#rl-label .rl-summary")).to_have_text("A  >  B  >  C  >  D")
    press(page, "Backspace", "1", "Enter")
    expect(page.locator("#rl-label .rl-last .rl-text")).to_have_text(second)
    expect(page.locator("#rl-label .rl-summary")).to_contain_text("A   (3 unranked)")
    earlier, later = rows(product, person)
    assert later.supersedes == earlier.id
    assert ranks(product, later.id) == [1, 2, 3, 1]


def test_a_skip_has_a_reason_and_goes_to_another(
    page: Page, product: Product, browser: Browser, person: str
) -> None:
    """s, then a digit; Esc leaves it. Nothing is ranked, and somebody else gets the item."""
    bring(product, 2)
    before = question(page)
    press(page, "s")
    expect(page.locator("#rl-label .rl-reasons")).to_be_visible()
    press(page, "Escape")
    expect(page.locator("#rl-label .rl-reasons")).to_have_count(0)
    press(page, "s", "2")
    another(page, before)
    assert rows(product, person) == []
    url = DatabaseSettings().resolve(Path(product.data))
    skips = execute(url, "SELECT reason FROM task_skip WHERE person = :person", person=person)
    assert [row.reason.strip('"') for row in skips] == ["I cannot judge this"]
    with opened(product, browser, f"{person} 2") as other:
        assert question(other) == before


def test_none_is_acceptable(page: Page, product: Product, person: str) -> None:
    """x and Enter."""
    bring(product, 2)
    before = question(page)
    press(page, "x")
    expect(page.locator("#rl-label .rl-summary")).to_have_text("None is acceptable.")
    press(page, "Enter")
    another(page, before)
    [row] = rows(product, person)
    assert ranks(product, row.id) == [None] * 4


def test_an_edited_answer_is_a_demonstration(page: Page, product: Product, person: str) -> None:
    """e opens the marked answer, Ctrl+Enter keeps what was made of it; the ranks stay."""
    bring(product, 1)
    question(page)
    shown = cards(page).nth(1).locator(".rl-text").inner_text()
    press(page, "2", "e")
    field = page.locator("#rl-label .rl-edit")
    expect(field).to_have_value(shown)
    expect(field).to_be_focused()
    field.fill(PAYLOAD)
    picture(page, "label-edit")
    press(page, "Control+Enter")
    expect(page.locator("#rl-label .rl-progress-line")).to_contain_text("in place of B")
    expect(page.locator("#rl-label .rl-summary")).to_contain_text("A   (3 unranked)")
    store = Store.open(DatabaseSettings().resolve(Path(product.data)))
    [kept] = [found for found in store.training_demonstrations() if found.person == person]
    store.close()
    assert (kept.messages[-1], kept.source) == (("assistant", PAYLOAD), "edited")
    assert page.evaluate("window.ran") is None


def test_ratings_and_a_comment_go_with_the_ranking(
    page: Page, product: Product, person: str
) -> None:
    """A 7 for B, given by mouse; while a comment is written, its letters are no keys."""
    bring(product, 2)
    before = question(page)
    page.locator("#rl-label .rl-rate summary").click()
    cards(page).nth(1).locator(".rl-text").click()
    page.get_by_role("button", name="Answer B, helpful: 7 of 7").click()
    comment = page.get_by_label("Comment")
    comment.fill("")
    comment.press_sequentially("sux1")
    page.get_by_role("button", name="Answer A: rank 1 of 4").click()
    page.get_by_role("button", name="Answer B: rank 2 of 4").click()
    expect(comment).to_have_value("sux1")
    page.get_by_role("button", name=re.compile("Submit")).click()
    another(page, before)
    [row] = rows(product, person)
    url = DatabaseSettings().resolve(Path(product.data))
    query = "SELECT ratings, comment FROM ranking WHERE id = :id"
    [said] = execute(url, query, id=row.id)
    assert said.ratings == '{"helpful": [null, 7.0, null, null]}'
    assert (said.comment, row.input) == ('"sux1"', "mouse")
    expect(comment).to_have_value("")


def test_a_server_that_is_away_costs_no_word(page: Page, product: Product, person: str) -> None:
    """The page says it, keeps the ranks, and sends them once it is asked to again."""
    away = False
    # From the start: a browser that begins to intercept may still let the next request through.
    page.route(
        re.compile("component_server"),
        lambda route: route.abort() if away else route.continue_(),
    )
    bring(product, 2)
    before = question(page)
    press(page, "1", "2", "3", "4")
    away = True
    press(page, "Enter")
    wrong = page.locator("#rl-label .rl-ranker .rl-wrong")
    expect(wrong).to_contain_text("cannot reach Rankloop", timeout=SOON_MS)
    away = False
    expect(page.locator("#rl-label .rl-summary")).to_have_text("A  >  B  >  C  >  D")
    press(page, "Enter")
    another(page, before)
    assert len(rows(product, person)) == 1


def test_help_and_guidelines_open_and_close(page: Page, product: Product) -> None:
    """? and g, and Esc; behind them no key ranks anything."""
    bring(product, 1)
    question(page)
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    press(page, "1", "Escape")
    expect(page.locator("#rl-label .rl-summary")).to_contain_text("Which is best?")
    press(page, "g")
    expect(page.get_by_role("dialog", name="Guidelines")).to_contain_text("version")
    press(page, "Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    press(page, "1")
    expect(page.locator("#rl-label .rl-summary")).to_contain_text("A   (3 unranked)")


def test_a_reload_gives_the_same_item(page: Page, product: Product, person: str) -> None:
    """And what was submitted before can still be undone."""
    bring(product, 2)
    first = question(page)
    press(page, "1", "2", "3", "4", "Enter")
    another(page, first)
    second = question(page)
    answers = [card.inner_text() for card in cards(page).locator(".rl-text").all()]
    page.reload()
    tab(page, "Label")
    assert question(page) == second
    assert [card.inner_text() for card in cards(page).locator(".rl-text").all()] == answers
    press(page, "u")
    expect(page.locator("#rl-label .rl-last .rl-text")).to_have_text(first)


def test_two_raters_never_get_one_item(
    page: Page, product: Product, browser: Browser, person: str
) -> None:
    """Both label at a time, three items each: six questions, all of them different."""
    bring(product, 6)
    seen = []
    with opened(product, browser, f"{person} 2") as other:
        for _ in range(3):
            for rater in (page, other):
                before = question(rater)
                seen.append(before)
                press(rater, "1", "2", "3", "4", "Enter")
                expect(rater.locator("#rl-label .rl-progress-line")).to_contain_text("done today")
                expect(rater.get_by_text(before, exact=True)).to_have_count(0)
    assert len(set(seen)) == 6


def test_a_double_click_makes_one_row(page: Page, product: Product, person: str) -> None:
    """The second click, and keys in between, find the ranking on its way."""
    bring(product, 2)
    before = question(page)
    press(page, "1", "2", "3", "4")
    page.get_by_role("button", name=re.compile("Submit")).dblclick()
    press(page, "Enter")
    another(page, before)
    assert len(rows(product, person)) == 1


def test_fingers_label_on_a_phone(product: Product, browser: Browser, person: str) -> None:
    """Taps rank, scrolling changes nothing, and the page is as wide as the screen."""
    bring(product, 2)
    with opened(product, browser, person, viewport=PHONE, has_touch=True, is_mobile=True) as page:
        before = question(page)
        page.get_by_role("button", name="Answer C: rank 1 of 4").tap()
        page.get_by_role("button", name="Answer A: rank 2 of 4").tap()
        page.mouse.wheel(0, 600)
        page.evaluate("scrollTo(0, 200)")
        expect(page.locator("#rl-label .rl-summary")).to_have_text("C  >  A   (2 unranked)")
        page.evaluate("scrollTo(0, 0)")
        picture(page, "label-phone")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        page.get_by_role("button", name=re.compile("Submit")).tap()
        another(page, before)
    [row] = rows(product, person)
    assert (ranks(product, row.id), row.input) == ([2, None, 1, None], "touch")


def test_an_item_stays_with_whoever_is_at_it(page: Page, product: Product, person: str) -> None:
    """Two seconds before its time is over the pointer moves: a quarter of an hour begins anew."""
    bring(product, 1)
    cards(page)
    url = DatabaseSettings().resolve(Path(product.data))
    times = "SELECT until - issued_at FROM task_lease WHERE person = :person"
    execute(url, "UPDATE task_lease SET until = until - 890 WHERE person = :person", person=person)
    page.reload()
    expect(page.locator(".rl-waiting")).to_be_visible(timeout=SOON_MS)
    tab(page, "Label")
    cards(page)
    for place in range(100):
        page.mouse.move(300 + place, 300)
        page.wait_for_timeout(200)
        if execute(url, times, person=person)[0][0] > 800:
            return
    raise AssertionError("the item was not kept")


def test_an_item_that_went_to_another_is_let_go_of(
    page: Page, product: Product, browser: Browser, person: str
) -> None:
    """Its time was over and somebody else has it: a sentence says so, and the next one comes."""
    bring(product, 2)
    before = question(page)
    url = DatabaseSettings().resolve(Path(product.data))
    execute(url, "UPDATE task_lease SET until = 0 WHERE person = :person", person=person)
    with opened(product, browser, f"{person} 2") as other:
        assert question(other) == before
        press(page, "1", "2", "3", "4", "Enter")
        line = page.locator("#rl-label .rl-progress-line")
        expect(line).to_contain_text("went to somebody else")
        another(page, before)
    assert rows(product, person) == []


def test_the_next_item_is_there_at_once(page: Page, product: Product) -> None:
    """Enter to the next question, in the browser, with items made ahead: nobody waits for a model.
    Alone most come within 300 ms; beside other tests a slow machine takes longer.
    """
    bring(product, 12)
    question(page)
    page.wait_for_timeout(8000)
    script = """() => new Promise((done) => {
      const text = () => document.querySelector("#rl-label .rl-last .rl-text")?.textContent;
      const before = text(), began = performance.now();
      const look = () => text() && text() !== before ? done(performance.now() - began)
        : requestAnimationFrame(look);
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
      look();
    })"""
    times = []
    for _ in range(7):
        press(page, "1", "2", "3", "4")
        times.append(page.evaluate(script))
    assert statistics.median(times) < 10 * NEXT_MS, times


def test_nothing_to_label_says_where_items_come_from(
    product: Product, browser: Browser, person: str
) -> None:
    """Then somebody asks something in the chat, and it is there to label by itself."""
    with opened(product, browser, person) as page:
        for _ in range(60):
            page.wait_for_timeout(500)
            if page.locator("#rl-label .rl-welcome").count():
                break
            press(page, "s", "1")
        welcome = page.locator("#rl-label .rl-welcome")
        expect(welcome).to_contain_text("Nothing to label just now")
        picture(page, "label-empty")
        text = f"Name three animals, {uuid4().hex[:6]}."
        product.api.replies([{"role": "user", "content": text}], n=1, user="somebody")
        assert question(page) == text
