"""The data tab in a real browser: files in and out, raters and prompt sets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from benchmarks.dashboards import Dashboard, header_of
from tests.feedback_databases import a_generation
from tests.test_ui_browser import SOON_MS, browser, picture, tab, visiting
from tests.ui_running import Site, site

__all__ = ["browser"]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("data tab")) as running:
        yield running


@pytest.fixture
def page(started: Site, browser: Browser) -> Iterator[Page]:
    with visiting(browser, started.url) as opened:
        tab(opened, "Data")
        yield opened


def pairs(count: int) -> list[str]:
    """So many preferences that nobody had before, a line each."""
    about = uuid4().hex
    rows = ({"prompt": f"{about} {i}", "chosen": "A", "rejected": "B"} for i in range(count))
    return [json.dumps(row) for row in rows]


def choose(page: Page, path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    page.locator(".rl-file").set_input_files(path)


def imported(page: Page, said: str) -> None:
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".rl-report")).to_contain_text(said, timeout=SOON_MS)


def test_a_file_is_imported_by_its_first_line(page: Page, started: Site, tmp_path: Path) -> None:
    """450 pairs of 80 bytes are more than one piece; a bad line keeps its number in the file."""
    lines = pairs(450)
    lines[439] = "nonsense"
    choose(page, tmp_path / "pairs.jsonl", lines)
    expect(page.locator(".rl-format")).to_have_value("trl-preference", timeout=SOON_MS)
    imported(page, "450 lines. 449 new, 0 known already, 1 refused.")
    expect(page.locator(".rl-bad tbody tr")).to_contain_text(["440"])
    expect(page.locator(".rl-bad td")).to_contain_text("not JSON")


def test_what_is_known_is_not_stored_twice(page: Page, tmp_path: Path) -> None:
    """The same file with a line more brings that line."""
    lines = pairs(3)
    choose(page, tmp_path / "first.jsonl", lines)
    imported(page, "3 new, 0 known already, 0 refused.")
    choose(page, tmp_path / "second.jsonl", [*lines, *pairs(1)])
    imported(page, "1 new, 3 known already, 0 refused.")


class Held:
    """From the second piece of a file on the page's requests are held up, until they are let go."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._pieces = 0
        self._routes: list[Route] = []
        page.route("**/component_server/**", self._see)

    def _see(self, route: Route) -> None:
        self._pieces += '"data_bring"' in (route.request.post_data or "")
        if self._pieces > 1:  # the first is let through, and with it what was asked before
            self._routes.append(route)
        else:
            route.continue_()

    def wait(self) -> None:
        """Until there is one."""
        until = time.monotonic() + SOON_MS / 1000
        while not self._routes and time.monotonic() < until:
            self._page.wait_for_timeout(10)
        assert self._routes, "the file was one piece"

    def let_go(self, broken: bool = False) -> None:
        """It, and all that come later."""
        for route in self._routes:
            if broken:
                route.abort()
            else:
                route.continue_()
        self._page.unroute("**/component_server/**", self._see)


def test_an_import_is_stopped_and_goes_on(page: Page, tmp_path: Path) -> None:
    """What was on its way is stored; the rest follows from there, no line twice."""
    choose(page, tmp_path / "pairs.jsonl", pairs(1200))
    expect(page.locator(".rl-format")).to_have_value("trl-preference", timeout=SOON_MS)
    held, report = Held(page), page.locator(".rl-report")
    page.get_by_role("button", name="Import").click()
    held.wait()
    expect(report).to_contain_text("Importing:")
    page.get_by_role("button", name="Stop").click()
    held.let_go()
    expect(report).to_contain_text("Not finished:", timeout=SOON_MS)
    expect(report).not_to_contain_text("1,200 lines")
    page.get_by_role("button", name="Go on").click()
    done = "1,200 lines. 1,200 new, 0 known already, 0 refused."
    expect(report).to_contain_text(done, timeout=SOON_MS)


def test_an_import_that_breaks_off_goes_on(page: Page, tmp_path: Path) -> None:
    """The page says what is wrong and what became of the lines so far."""
    choose(page, tmp_path / "pairs.jsonl", pairs(1200))
    expect(page.locator(".rl-format")).to_have_value("trl-preference", timeout=SOON_MS)
    held, report = Held(page), page.locator(".rl-report")
    page.get_by_role("button", name="Import").click()
    held.wait()
    held.let_go(broken=True)
    expect(report.get_by_role("alert")).to_contain_text("cannot reach", timeout=SOON_MS)
    expect(report).to_contain_text("What stands here is stored; go on when it is mended.")
    page.get_by_role("button", name="Go on").click()
    done = "1,200 lines. 1,200 new, 0 known already, 0 refused."
    expect(report).to_contain_text(done, timeout=SOON_MS)
    expect(report.get_by_role("alert")).to_have_count(0)


def test_prompts_become_a_set(page: Page, tmp_path: Path) -> None:
    """A line that is no prompt is told, the others are in the set, whose row says how many."""
    name = f"week {uuid4().hex[:6]}"
    lines = ['{"prompt": "Why is the sky blue?"}', '{"prompt": 7}', "no", '{"prompt": "And why?"}']
    choose(page, tmp_path / "prompts.jsonl", lines)
    expect(page.locator(".rl-format")).to_have_value("prompts", timeout=SOON_MS)
    page.locator(".rl-set-name").fill(name)
    imported(page, "2 new, 0 known already, 2 refused.")
    expect(page.locator(".rl-bad tbody th")).to_have_text(["2", "3"])
    row = page.locator(".rl-sets tr", has_text=name)
    expect(row.locator("td").first).to_have_text("2", timeout=SOON_MS)


def test_a_file_of_no_known_format_is_not_imported(page: Page, tmp_path: Path) -> None:
    """The page says so, and there is nothing to press until a format is chosen."""
    choose(page, tmp_path / "table.csv", ["question,answer", "hi,hello"])
    expect(page.locator(".rl-report")).to_contain_text("no format that is known", timeout=SOON_MS)
    expect(page.get_by_role("button", name="Import")).to_be_disabled()


def test_a_file_is_taken_away(page: Page, started: Site, tmp_path: Path) -> None:
    """What the browser saves is what the API exports, and the page says how much it was."""
    choose(page, tmp_path / "pairs.jsonl", pairs(2))
    imported(page, "2 new")
    page.locator(".rl-wanted").select_option("trl-preference")
    with page.expect_download(timeout=SOON_MS) as saving:
        page.get_by_role("button", name="Download").click()
    whole = started.server.http.get("/v1/export", params={"format": "trl-preference"}).text
    assert saving.value.suggested_filename == "trl-preference.jsonl"
    assert Path(saving.value.path()).read_text() == whole
    expect(page.locator(".rl-taken")).to_contain_text(f"{whole.count(chr(10)):,} lines")


def test_a_file_that_breaks_off_is_not_whole(
    page: Page, started: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says so, and the browser keeps nothing that looks like a whole file."""

    def breaks_off(format: str) -> Iterator[str]:
        yield '{"prompt": "Hi"}\n'
        raise OSError("the disk went away")

    monkeypatch.setattr(started.server.store, "export", breaks_off)
    with page.expect_download(timeout=SOON_MS) as saving:
        page.get_by_role("button", name="Download").click()
    assert saving.value.failure() is not None
    said = page.locator(".rl-taken").get_by_role("alert")
    expect(said).to_contain_text("The file is not whole.", timeout=SOON_MS)


def test_a_ticket_is_good_for_one_download(page: Page, started: Site) -> None:
    """A name that was never given, or was used, is no file."""
    with page.expect_download(timeout=SOON_MS) as saving:
        page.get_by_role("button", name="Download").click()
    for address in (saving.value.url, f"{started.url}/take/nobody"):
        assert page.request.get(address).status == 404


def test_a_benchmarks_page_asks_as_a_real_one(started: Site) -> None:
    """`benchmarks.dashboards` finds the header, and its questions are answered."""
    with ThreadPoolExecutor(1) as beside:  # the browser's driver has this thread's event loop
        asked = beside.submit(asyncio.run, left_open(started.url)).result()
    assert asked.polls >= 1


async def left_open(url: str) -> Dashboard:
    """A page that was open until its first question was answered."""
    one = Dashboard(url, await header_of(url))
    stays = asyncio.create_task(one.stay())
    await asyncio.wait_for(one.answered.wait(), SOON_MS / 1000)
    stays.cancel()
    return one


def test_who_ranks_is_told(page: Page, started: Site, tmp_path: Path) -> None:
    """Two agree, a third turns their order round: all of it in words beside the bars."""
    store, id = started.server.store, uuid4().hex
    store.record_generation(a_generation(id))
    for person, ranks in (("ann", [1, 2, 3, 4]), ("bob", [1, 2, 3, 4]), ("eve", [4, 3, 2, 1])):
        store.add_ranking(person=person, completion_id=id, ranks=ranks)
    choose(page, tmp_path / "pair.jsonl", pairs(1))
    imported(page, "1 new")
    eve = page.locator(".rl-people tr", has_text="eve")
    expect(eve).to_contain_text("agreement -1", timeout=SOON_MS)
    expect(eve).to_contain_text("in full")
    expect(page.locator("#rl-people")).to_contain_text("trust and caps act")
    picture(page, "data")
