"""What the server passes while it records and swaps, and each fault there."""

from __future__ import annotations

from contextlib import closing
from functools import partial

from tests.faults.ground import Folder, Starts
from tests.faults.row import Row, alone
from tests.faults.standing import Server, promote, publish, slightly

RECORDING = ("generation.record", "generation.recorded", "ranking.keep", "ranking.kept")
SWAPPING = ("residence.load", "residence.flip")
FAULTS = ("kill", "full", "io", "stall")
TURNS = 3


def server_row(folder: Folder, point: str, fault: str) -> list[str]:
    """Chats and rankings pass the fault, and a version is promoted meanwhile; what is broken."""
    nth = 2 if point in SWAPPING else 1  # v0 passes there first
    with closing(Server(folder, f"{point}:{fault}:{nth}")) as server:
        server.await_ready()
        server.client.turn("none")
        id = publish(folder, slightly)
        promote(folder, id)
        for number in range(1, TURNS):
            server.client.turn(str(number))
        server.await_ready(id)
        server.client.turn("all")
        return server.broken()


def rows(starts: Starts) -> list[Row]:
    """Every point with every fault."""
    return [
        alone(point, fault, starts.fresh, partial(server_row, point=point, fault=fault))
        for point in (*RECORDING, *SWAPPING)
        for fault in FAULTS
    ]
