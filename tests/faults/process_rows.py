"""A server that is killed, told to stop, or hangs, while answers are being written."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx

from tests.faults.client import Client
from tests.faults.ground import until
from tests.faults.row import Row
from tests.faults.standing import Server, Standing

STREAMS = 4
CUT = "the connection broke"


def killed(server: Server) -> list[str]:
    """SIGKILL: every stream breaks off, none seems to have ended."""
    with ThreadPoolExecutor(STREAMS) as pool:
        running = _streams(server, pool)
        server.process.send(signal.SIGKILL)
        ends = [stream.result() for stream in running]
    until(lambda: server.process.dead, "the server dies")
    return [f"a stream ended with {end}" for end in ends if end != CUT]


def stopped(server: Server) -> list[str]:
    """SIGTERM: streams come to their end or are told why not, and the process ends with 0."""
    with ThreadPoolExecutor(STREAMS) as pool:
        running = _streams(server, pool)
        status = server.process.stop()
        ends = [stream.result() for stream in running]
    found = [] if status == 0 else [f"the server ended with {status}"]
    fine = ("done", "The server is shutting down.")
    return [*found, *(f"a stream ended with {end}" for end in ends if end not in fine)]


def hung(server: Server) -> list[str]:
    """The process that decodes stands still: streams are told, and the server ends to be started
    anew, with nothing left of the one that hung.
    """
    [decoder] = _children(server.process.child.pid)
    with ThreadPoolExecutor(STREAMS) as pool:
        running = _streams(server, pool)
        os.kill(decoder, signal.SIGSTOP)
        ends = [stream.result() for stream in running]
        until(lambda: server.process.dead, "the server ends")
    found = [f"a stream ended with {end}" for end in ends if end != "The model has stopped."]
    if Path(f"/proc/{decoder}").exists():
        found.append("the process that hung is still there")
        os.kill(decoder, signal.SIGKILL)
    return found


def _streams(server: Server, pool: ThreadPoolExecutor) -> list[Future[str]]:
    """Long answers that have begun."""
    begun: list[str] = []
    futures = [
        pool.submit(_end, server.client, f"stream {i}", begun.append) for i in range(STREAMS)
    ]
    until(lambda: len(begun) == STREAMS, "all streams have begun")
    return futures


def _end(client: Client, name: str, begun: Callable[[str], None]) -> str:
    """How a stream ends."""
    try:
        with client.stream(name, n=4, temperature=1.5) as frames:
            told = [next(frames)]
            begun(name)
            told += frames
    except httpx.TransportError:
        return CUT
    last = told[-1]
    return "done" if last.get("done") else str(last.get("error", {}).get("message", last))


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def rows(standing: Standing) -> list[Row]:
    """One after the other; the next row's server is started anew."""
    runs = [
        ("server", "killed in streams", killed),
        ("server", "SIGTERM in streams", stopped),
        ("engine", "hung", hung),
    ]
    return [Row(name, fault, partial(_run, standing, run)) for name, fault, run in runs]


def _run(standing: Standing, run: Callable[[Server], list[str]]) -> list[str]:
    found = run(standing.up())
    server = standing.up()
    server.client.turn(f"again {len(server.client.rankings)}")
    return [*found, *server.broken()]
