"""The machine's clock is set an hour ahead, or back, while a round runs and people ask."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from tests.faults.client import HEADERS
from tests.faults.ground import Folder, Starts, until
from tests.faults.learner_rows import ask, finished, held
from tests.faults.row import Row, alone
from tests.faults.standing import Server

LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"
ALIVE_S = 30.0


@dataclass
class Clock:
    """A clock that processes are started with, and that can be set while they run."""

    file: Path

    def set(self, offset: str) -> None:
        self.file.write_text(offset)

    @property
    def variables(self) -> Mapping[str, str]:
        """What the interpreter must find. Raises FileNotFoundError without libfaketime."""
        library = next(Path("/").glob(LIBRARIES.removeprefix("/")), None)
        if library is None:
            raise FileNotFoundError("libfaketime is not installed")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


def set_by_an_hour(folder: Folder, offset: str) -> list[str]:
    """The round that runs then is done, and so is one whose learner dies just then; the learner is
    heard of all the while, and people are answered.
    """
    clock = Clock(folder.data / "clock")
    clock.set("+0")
    with closing(Server(folder, None, clock=clock.variables)) as server:
        server.await_ready()
        with folder.process("learner", preloaded=clock.variables) as learner:
            until(lambda: learner.dead or held(folder), "the round is claimed")
            clock.set(offset)
            server.client.turn("after")
            finished(folder, learner, stop=False)
            ask(folder)
            until(lambda: learner.dead or held(folder), "the next round is claimed")
            found = _heard_of(server)
            learner.send(signal.SIGKILL)
        clock.set("+0")
        with folder.process("learner", preloaded=clock.variables) as learner:
            finished(folder, learner)
        server.client.turn("at last")
        return [*found, *server.broken()]


def _heard_of(server: Server) -> list[str]:
    told = httpx.get(f"{server.client.url}/v1/learner", headers=HEADERS, timeout=20).json()
    age = told["heartbeat_age_s"]
    return [] if age is not None and age < ALIVE_S else [f"the learner was heard of {age} s ago"]


def rows(starts: Starts) -> list[Row]:
    """Both ways."""
    return [
        alone("clock", text, starts.fresh, partial(set_by_an_hour, offset=offset))
        for text, offset in (("an hour ahead", "+3600"), ("an hour back", "-3600"))
    ]
