"""What can be set about the UI process.

Knows nothing of the other processes' settings beyond the address that the server listens on.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class UiSettings(BaseModel):
    """The section `ui` of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        default="127.0.0.1",
        description="Address that the pages are served on. Any other than a loopback address "
        "needs a key, or somebody who may sign in.",
    )
    port: int = Field(
        default=7860,
        ge=1,
        le=65535,
        description="Port that the pages are served on.",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s]+$",
        description="Where people reach the page, when that is behind a proxy: stands in "
        "invitations, and a browser's requests from there are the page's own.",
    )
    server_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/]+.*$",
        description="Where the API is, when it runs on another machine or behind a proxy. Unset: "
        "the address of `server.host` and `server.port`.",
    )
