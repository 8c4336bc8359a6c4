"""A server on which people sign in, and the page before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from server.doors.sign_in_settings import SignInSettings
from tests.server_running import Running, running, settings_for
from tests.test_ui_app import page
from tests.tiny_models import make_tiny

PASSWORD = "correct horse battery"
DAY_S = 86400.0


@dataclass(frozen=True)
class House:
    """The page's address, and its server."""

    url: str
    server: Running

    def invite(self, name: str, *scopes: str) -> str:
        """What stands behind the # of an invitation's link."""
        chosen = scopes or ("chat", "rank")
        return self.server.store.invite(name, chosen, lifetime_s=DAY_S, actor="test")[1]

    def browser(self) -> httpx.Client:
        """One that keeps cookies, and says where its forms are from as browsers do."""
        return httpx.Client(base_url=self.url, headers={"origin": self.url}, trust_env=False)

    def join(self, browser: httpx.Client, name: str, *scopes: str) -> httpx.Response:
        """Use an invitation up."""
        form = {"name": name, "invitation": self.invite(name, *scopes)}
        form |= {"new": PASSWORD, "again": PASSWORD}
        return browser.post("/invitation", data=form)

    def sign_in(self, browser: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
        return browser.post("/sign-in", data={"name": name, "password": password})


@contextmanager
def house(folder: Path, *flags: str, key: str | None = None, **server: Any) -> Iterator[House]:
    """Serves until the block ends; `flags` are the page's."""
    plenty = SignInSettings(tries_per_name=1000, tries_per_address=1000)
    server = {"sign_in": plenty, "max_tokens": 16, **server}
    settings = settings_for(folder / "data", make_tiny(folder / "model"), **server)
    if key is not None:
        settings = settings.model_copy(update={"key": SecretStr(key)})
    with running(settings) as started, page("--ui.server_url", started.url, *flags) as opened:
        yield House(str(opened.base_url).rstrip("/"), started)
