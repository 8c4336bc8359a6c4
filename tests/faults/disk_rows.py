"""A disk that is really full: while people ask and rank, and while a round saves its state."""

from __future__ import annotations

import re
from contextlib import closing

import httpx

from tests.faults.client import question
from tests.faults.disks import on_a_small_disk
from tests.faults.ground import RANKINGS, Folder, Process, Starts, until
from tests.faults.invariants import broken
from tests.faults.learner_rows import finished, is_open
from tests.faults.row import Row, alone
from tests.faults.standing import Server


def server_row(folder: Folder) -> list[str]:
    """Refused with the reason while there is no room, answered as soon as there is."""
    with on_a_small_disk(folder) as (small, disk), closing(Server(small)) as server:
        server.await_ready()
        server.client.turn("none")
        disk.fill()
        body = {"model": "rankloop", "messages": question("full"), "max_tokens": 8, "n": 2}
        refused = server.client.post("/v1/chat/completions", body)
        health = httpx.get(f"{server.client.url}/readyz", timeout=20)
        disk.empty()
        server.await_ready()
        server.client.turn("again")
        found = [] if refused.status_code == 503 else [f"it was told {refused.text}"]
        if "disk is full" not in health.text:
            found.append(f"it said of itself {health.text}")
        return [*found, *server.broken()]


def learner_row(folder: Folder) -> list[str]:
    """No room in the middle of a round that saves its state; with room again a round is done."""
    with on_a_small_disk(folder) as (small, disk), small.process("learner") as learner:
        until(lambda: learner.dead or any(small.data.glob("rounds/*/judges")), "a state is saved")
        disk.fill()
        until(lambda: learner.dead or _noticed(small, learner), "it fails")
        disk.empty()
        if learner.dead:
            return ["the learner has died"]
        finished(small, learner)
        return broken(small, range(1, RANKINGS + 1))


def _noticed(folder: Folder, learner: Process) -> bool:
    """A state could not be kept, or nothing of the round."""
    return bool(re.search("is not saved|disk is full", learner.said)) or not is_open(folder)


def rows(starts: Starts) -> list[Row]:
    """Each on a disk of its own."""
    return [
        alone("server", "full disk", starts.fresh, server_row),
        alone("learner", "full disk in a round", starts.fresh, learner_row),
    ]
