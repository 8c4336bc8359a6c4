"""What the UI process reads of the settings: where the API is, and the sign-in.

Knows no users: one key opens the page and the API. That a page which others can reach has a key is
seen to by the command.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Protocol

from pydantic import SecretStr

from ui.settings import UiSettings


class Listening(Protocol):
    """The part of the server's settings that says where it listens."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class Settings(Protocol):
    """What the UI process reads of the settings."""

    @property
    def key(self) -> SecretStr | None: ...
    @property
    def ui(self) -> UiSettings: ...
    @property
    def server(self) -> Listening: ...


def server_url(settings: Settings) -> str:
    """The API's address without a slash at the end."""
    if settings.ui.server_url is not None:
        return settings.ui.server_url.rstrip("/")
    host = settings.server.host
    # An address that means "all of this machine's" is reached over loopback.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return (
        f"http://[{host}]:{settings.server.port}"
        if ":" in host
        else (f"http://{host}:{settings.server.port}")
    )


def sign_in(key: SecretStr | None) -> Callable[[str, str], bool] | None:
    """The check of a name and a password, compared in constant time; None where no key is set."""
    if key is None:
        return None
    expected = key.get_secret_value().encode()

    def check(name: str, password: str) -> bool:
        return hmac.compare_digest(password.encode(), expected)

    return check
