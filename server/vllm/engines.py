"""Engines that the settings' command starts: one for each model of weights of its own.

vLLM swaps no weights under its requests without stopping them: so the next version's engine is
started beside the one that answers, and that one goes when its last reader has left. An engine that
ends by itself is started again at the same address; the fleet sees when it is there.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import shlex
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .fleet import Fleet

log = logging.getLogger(__name__)

AGAIN_S = 5.0
STOP_S = 20.0
PR_SET_PDEATHSIG = 1


class NotStarted(Exception):
    """There is no engine for a version; the text says why."""


@dataclass
class Started:
    """An engine, who needs it, and the task that keeps it running."""

    url: str
    versions: set[str] = field(default_factory=set)
    process: asyncio.subprocess.Process | None = None
    keeper: asyncio.Task[None] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Engines:
    """The started ones, by their model's folder. Lives on the event loop."""

    def __init__(self, command: str, most: int, fleet: Fleet) -> None:
        self._command = command
        self._most = most
        self._fleet = fleet
        self._started: dict[Path, Started] = {}

    def need(self, version: str, folder: Path) -> Started:
        """An engine of that model for this version, started if there is none. Raises NotStarted."""
        if folder not in self._started:
            if len(self._started) >= self._most:
                raise NotStarted(f"all {self._most} engines (vllm.engines) are in use")
            self._started[folder] = self._start(version, folder)
        self._started[folder].versions.add(version)
        return self._started[folder]

    async def release(self, version: str) -> None:
        """The version needs no engine any more; one that nobody needs is stopped."""
        for folder, started in list(self._started.items()):
            started.versions.discard(version)
            if not started.versions:
                del self._started[folder]
                self._fleet.remove(started.url)
                await self._stop(started)

    async def close(self) -> None:
        await asyncio.gather(*(self._stop(started) for started in self._started.values()))

    def _start(self, version: str, folder: Path) -> Started:
        port = _free_port()
        places = {"{folder}": str(folder), "{port}": str(port), "{name}": f"rankloop@{version}"}
        command = shlex.split(self._command)
        for place, value in places.items():
            command = [part.replace(place, value) for part in command]
        started = Started(f"http://127.0.0.1:{port}")
        keeping = self._keep(started, command)
        started.keeper = asyncio.get_running_loop().create_task(keeping)
        self._fleet.add(started.url)
        return started

    async def _keep(self, started: Started, command: list[str]) -> None:
        while True:
            started.process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
            code = await started.process.wait()
            log.error("an engine at %s has ended with status %d", started.url, code)
            started.ended.set()
            await asyncio.sleep(AGAIN_S)

    async def _stop(self, started: Started) -> None:
        """Asks it to end, and ends it and all that it started if it does not."""
        assert started.keeper is not None, "what was started is kept"
        started.keeper.cancel()
        process = started.process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            log.warning("an engine at %s does not end, and is killed", started.url)
        finally:
            _end_group(process.pid)


def _end_group(pid: int) -> None:
    with suppress(ProcessLookupError):  # all have ended
        os.killpg(pid, signal.SIGKILL)


def _die_with_parent() -> None:
    """In the new process: a server that is killed leaves no engine behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
