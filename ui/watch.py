"""What goes on in the server, looked at once for all open pages.

Knows no components: it turns two GETs into one frozen view with a revision that changes when
something that people see has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from typing import Any

from ui.client import ApiError, Client
from ui.wire import Learner, Version

# Seconds between looks: a running round moves, an idle server does not.
RUNNING_S = 2.0
IDLE_S = 4.0
# Figures that move by themselves and would make every look a new one.
RESTLESS: dict[str, Any] = {
    "heartbeat_age_s": True,
    "next_run_at": True,
    "lease": True,
    "waiting": {"oldest_s"},
}


@dataclass(frozen=True)
class View:
    """The server as last seen; `error` says in words why the rest may be missing."""

    learner: Learner | None = None
    versions: tuple[Version, ...] = ()
    error: str | None = None

    @property
    def live(self) -> Version | None:
        return next((version for version in self.versions if version.live), None)

    @property
    def loading(self) -> bool:
        """Whether the server is there and has nothing to answer with yet."""
        return self.error is None and not any(version.resident for version in self.versions)

    @property
    def every_s(self) -> float:
        """Seconds until a page should ask again."""
        busy = self.learner is not None and self.learner.state in ("running", "starting")
        return RUNNING_S if busy or self.error or self.loading else IDLE_S

    @property
    def revision(self) -> str:
        parts = [self.error or ""]
        if self.learner is not None:
            parts.append(self.learner.model_dump_json(exclude=RESTLESS))
        parts.extend(version.model_dump_json() for version in self.versions)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class Watch:
    """Looks at the server at most once in RUNNING_S, however many pages ask."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._view = View(error="Not looked yet.")
        self._looked_at = float("-inf")

    async def view(self, *, fresh: bool = False) -> View:
        """The view, looked up anew if it is old or `fresh` is asked for."""
        async with self._lock:
            age_s = time.monotonic() - self._looked_at
            # A little less than a page's interval, so that its next question gets a new look.
            if fresh or age_s > 0.8 * self._view.every_s:
                self._view = await self._look()
                self._looked_at = time.monotonic()
            return self._view

    async def _look(self) -> View:
        try:
            learner, versions = await asyncio.gather(
                self._client.learner(), self._client.versions()
            )
        except ApiError as error:
            # What was live is still the best guess; the banner says that it is one.
            return View(self._view.learner, self._view.versions, str(error))
        return View(learner, tuple(versions))
