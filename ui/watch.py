"""What goes on in the server, looked at once for all open pages.

Knows no components: it turns a few GETs into one frozen view with a revision that changes when
something that people see has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from typing import Any

from ui.client import ApiError, Client
from ui.visitor import current
from ui.wire import Learner, Version

# Seconds between a page's questions: a running round moves, an idle server does not.
RUNNING_S = 1.5
IDLE_S = 2.0
# Seconds for which a look serves every page: a page is never later than both together.
LOOK_S = 1.0
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
    measured: int = 0
    """Steps of the running round that have figures."""

    @property
    def live(self) -> Version | None:
        return next((version for version in self.versions if version.live), None)

    @property
    def answering(self) -> str:
        """Changes with what answers: the live version, and whether it can yet."""
        return f"{self.live.id} {self.live.resident}" if self.live else ""

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
        parts = [self.error or "", str(self.measured)]
        if self.learner is not None:
            parts.append(self.learner.model_dump_json(exclude=RESTLESS))
        parts.extend(version.model_dump_json() for version in self.versions)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _everybodys(version: Version) -> Version:
    """Without what is told to whoever asked: others are shown the same."""
    learned = version.learned_from.model_copy(update={"yours": 0})
    return version.model_copy(update={"learned_from": learned})


class Watch:
    """Looks at the server at most once in LOOK_S, however many pages ask, and whoever does."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._view = View(error="Not looked yet.")
        self._looked_at = float("-inf")

    async def view(self, *, fresh: bool = False) -> View:
        """The view, looked up anew if it is old or `fresh` is asked for."""
        async with self._lock:
            age_s = time.monotonic() - self._looked_at
            if fresh or age_s > LOOK_S:
                self._view = await self._look()
                self._looked_at = time.monotonic()
            return self._view

    async def _look(self) -> View:
        try:
            learner, versions = await asyncio.gather(
                self._client.learner(), self._client.versions()
            )
            measured = await self._measured(learner)
        except ApiError as error:
            # What was live is still the best guess; the banner says that it is one.
            return View(self._view.learner, self._view.versions, str(error))
        return View(learner, tuple(map(_everybodys, versions)), measured=measured)

    async def _measured(self, learner: Learner) -> int:
        """A step's figures come a moment after the step: without them it would look drawn."""
        if learner.state != "running" or learner.round is None or not current().may("read"):
            return 0
        return len(await self._client.metrics(learner.round))
