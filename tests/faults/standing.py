"""A server that stays up from row to row, and is started anew where it died."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from policy.model import Model
from tests.faults.client import Client
from tests.faults.ground import RANKINGS, Folder, Process, port, until
from tests.faults.invariants import broken
from tests.feedback_databases import execute

STALL_S = 2.0


class Server:
    """The product's server on a folder, and somebody who asks it."""

    def __init__(
        self, folder: Folder, fault: str | None = None, clock: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self._held = ExitStack()
        at = port()
        self._flag, self._clock = f"--server.port={at}", clock
        self.client = Client(f"http://127.0.0.1:{at}", self.mend)
        self.process = self._start(fault)

    def _start(self, fault: str | None = None) -> Process:
        started = self.folder.process("server", fault, self._flag, preloaded=self._clock)
        return self._held.enter_context(started)

    def mend(self) -> None:
        """Start it anew when it died; a stalled machine goes on."""
        if self.process.dead:
            self.process = self._start()
        elif self.process.stopped:
            time.sleep(STALL_S)
            self.process.send(signal.SIGCONT)

    def await_ready(self, version: str | None = None) -> None:
        """Until that version answers, or any."""
        client = self.client
        until(
            lambda: (found := client.ready()) is not None and version in (None, found),
            f"{version or 'the server'} is ready",
        )

    def broken(self) -> list[str]:
        """What does not stand of all that was asked and ranked by now."""
        kept = [*range(1, RANKINGS + 1), *self.client.rankings]
        return [*untold(self.folder, self.client), *broken(self.folder, kept)]

    def close(self) -> None:
        self._held.close()


class Standing:
    """One server for many rows, on a copy of the folder that `start` gives."""

    def __init__(self, start: Callable[[], Folder]) -> None:
        self._start = start
        self._server: Server | None = None

    def up(self) -> Server:
        """Ready, whatever the row before did to it."""
        if self._server is None:
            self._server = Server(self._start().copy("standing"))
        self._server.await_ready()
        return self._server

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server.folder.close()
            shutil.rmtree(self._server.folder.data, ignore_errors=True)


def publish(folder: Folder, change: Callable[[Model], None]) -> str:
    """A version that its gate has passed, with these weights."""
    versions = folder.versions
    store = folder.store
    id = store.next_id("v")
    model = versions.load("v0")
    change(model)
    manifest = versions.publish(id, model, kind="full", parent="v0", round=None)
    store.register_version(id, digest=manifest.digest, parent="v0", kind="full")
    store.verify(id, actor="ada", reason="as good as v0")
    return id


def promote(folder: Folder, id: str) -> None:
    folder.store.promote(id, actor="ada", reason="as good as v0")


def slightly(model: Model) -> None:
    """Other weights, nearly the same answers."""
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.mul_(1.01)


def weights(folder: Folder, id: str) -> Path:
    return folder.versions.folder(id) / "model.safetensors"


def untold(folder: Folder, client: Client) -> Sequence[str]:
    """Every answer that somebody got is on record, of the one version that it named."""
    rows = execute(
        folder.url,
        "SELECT candidate.id, version FROM candidate "
        "JOIN generation ON generation.id = candidate.generation_id",
    )
    on_record = {row[0]: row[1] for row in rows}
    return [
        f"{id} was told to be of {version} and is {on_record.get(id, 'not on record')}"
        for id, version in client.answers.items()
        if on_record.get(id) != version
    ]
