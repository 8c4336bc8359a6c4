"""The page's process: private, confined, and shut to those without the key."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from benchmarks.product import free_ports
from rankloop import Settings
from server.settings import ServerSettings
from ui.access import server_url
from ui.settings import UiSettings

LISTENING_S = 180.0


@contextmanager
def page(*flags: str) -> Iterator[httpx.Client]:
    """A browser's connection to `rankloop ui`; no server is needed to look at the page."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "rankloop", "ui", "--port", str(port), *flags]
    process = subprocess.Popen(command)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser:
            wait_for(browser)
            yield browser
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for(browser: httpx.Client) -> None:
    deadline = time.monotonic() + LISTENING_S
    while True:
        try:
            browser.get("/livez").raise_for_status()
            return
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the page does not listen"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def site() -> Iterator[httpx.Client]:
    with page() as opened:
        yield opened


def test_no_listener_is_an_api(site: httpx.Client) -> None:
    """What a person can do here a program does over the API, not over the page."""
    listeners = site.get("/config").json()["dependencies"]
    assert listeners
    assert {listener["api_visibility"] for listener in listeners} == {"private"}


def test_the_page_asks_nobody_else(site: httpx.Client) -> None:
    """The browser is told to load nothing from elsewhere, and the style sheets do not try."""
    first, theme = site.get("/"), site.get("/theme.css")
    assert "default-src 'self'" in first.headers["content-security-policy"]
    assert not re.findall(r"url\(['\"]?https?:", first.text + theme.text)


def test_footer_and_analytics_are_off(site: httpx.Client) -> None:
    """The page is the product's, and reports to nobody."""
    config = site.get("/config").json()
    assert config["footer_links"] == []
    assert config["analytics_enabled"] is False


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload",
        "/gradio_api/upload/",
        "/gradio_api/UPLOAD",
        "//gradio_api//upload",
        "/gradio_api/upload_progress",
        "/gradio_api/proxy=https://a.hf.space/x",
        "/gradio_api/stream/a/1/1/playlist.m3u8",
    ],
)
def test_gradios_uploads_and_proxies_are_shut(site: httpx.Client, path: str) -> None:
    """However they are spelled, and by whatever method."""
    url = f"{str(site.base_url).rstrip('/')}{path}"
    assert [site.request(how, url).status_code for how in ("GET", "POST", "HEAD")] == [404] * 3


def test_no_file_of_the_machine_is_served(site: httpx.Client) -> None:
    """Gradio serves what it was told to, which is nothing."""
    assert site.get("/gradio_api/file=/etc/passwd").status_code == 403


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("localhost:7860", None, 200),
        ("localhost:7860", "http://localhost:7860", 200),
        ("[::1]:7860", "http://[::1]:7860", 200),
        ("evil.example:7860", None, 403),
        ("localhost.evil.example", None, 403),
        ("localhost:7860", "https://evil.example", 403),
        ("localhost:7860", "http://localhost:8888", 403),
        ("localhost:7860", "null", 403),
    ],
)
def test_other_sites_pages_do_not_reach_it(
    site: httpx.Client, host: str, origin: str | None, expected: int
) -> None:
    """Neither by a name of theirs that means this machine, nor from where they are."""
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    assert site.get("/livez", headers=headers).status_code == expected


def test_without_a_key_others_are_kept_out() -> None:
    """An address that others can reach needs a key, and the line to type is given."""
    command = [sys.executable, "-m", "rankloop", "ui", "--host", "0.0.0.0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "RANKLOOP_KEY=" in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:8001"),
        ("0.0.0.0", "http://127.0.0.1:8001"),
        ("::", "http://[::1]:8001"),
        ("10.0.0.7", "http://10.0.0.7:8001"),
    ],
)
def test_the_api_is_where_the_server_listens(host: str, expected: str) -> None:
    """An address that means all of a machine's is reached over loopback."""
    assert server_url(Settings(server=ServerSettings(host=host, port=8001))) == expected


def test_the_api_can_be_elsewhere() -> None:
    """A server on another machine is named by its address."""
    settings = Settings(ui=UiSettings(server_url="https://rank.example/api/"))
    assert server_url(settings) == "https://rank.example/api"
