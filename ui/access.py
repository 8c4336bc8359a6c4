"""What the UI process reads of the settings: where the API is, and whether the page is surely shut.

Knows no users and no key: who may come in is for the server to say.
"""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import SecretStr

from ui.doors import is_loopback
from ui.settings import UiSettings


class Listening(Protocol):
    """The part of the server's settings that says where it listens."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class LogPart(Protocol):
    """What the UI process reads of the log's settings."""

    @property
    def format(self) -> Literal["plain", "json"]: ...


class Settings(Protocol):
    """What the UI process reads of the settings."""

    @property
    def key(self) -> SecretStr | None: ...
    @property
    def ui(self) -> UiSettings: ...
    @property
    def server(self) -> Listening: ...
    @property
    def log(self) -> LogPart: ...


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


def is_local(settings: Settings) -> bool:
    """Whether only this machine reaches the page's address."""
    return is_loopback(settings.ui.host)


def is_shut(settings: Settings) -> bool:
    """Whether one has to sign in, for all that is known before the server has said so."""
    return settings.key is not None or not is_local(settings)
