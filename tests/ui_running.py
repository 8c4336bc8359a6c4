"""The page over a server with a tiny model: no learner, so that what is on record stays as a test
wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.server_running import Running, running, settings_for
from tests.test_ui_app import page
from tests.tiny_models import make_tiny


@dataclass(frozen=True)
class Site:
    """The page's address, and its server."""

    url: str
    server: Running


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Serves until the block ends."""
    # Room for long conversations.
    model = make_tiny(folder / "model", max_position_embeddings=8192)
    settings = settings_for(folder / "data", model, max_tokens=16)
    with running(settings) as server, page("--ui.server_url", server.url) as opened:
        yield Site(str(opened.base_url), server)
