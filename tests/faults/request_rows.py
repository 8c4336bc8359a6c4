"""Requests that go wrong at the client's end or all at once, against a server that stays up."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial

from tests.faults.client import HEADERS, Client, question
from tests.faults.ground import until
from tests.faults.row import Row
from tests.faults.standing import Server, Standing, promote, publish, slightly

MANY = 6


def client_gone(server: Server) -> list[str]:
    """Clients leave after the first frame of an answer, and in the middle of a request."""
    for number in range(MANY):
        with server.client.stream(f"gone {number}", n=4) as frames:
            next(frames)
        with _connection(server, length=1000) as cut:
            cut.sendall(b"{")
    return _idle(server)


def slow_reader(server: Server) -> list[str]:
    """One reads nothing of an answer larger than what lies between: others are answered meanwhile,
    and it is given up.
    """
    asked = {"n": 16, "max_tokens": 200, "ignore_eos": True, "logprobs": True, "top_logprobs": 20}
    body = {"model": "rankloop", "messages": question("slow"), "stream": True, **asked}
    content = json.dumps(body).encode()
    with _connection(server, length=len(content)) as slow:
        slow.sendall(content)
        slow.recv(1)
        found = _meanwhile(server)
        return [*found, *_idle(server)]


def slow_writer(server: Server) -> list[str]:
    """A request comes a byte a second: others are answered meanwhile, and it is told that it came
    too late.
    """
    with _connection(server, length=1000) as slow:
        found = _meanwhile(server)
        slow.settimeout(1.0)
        answer = b""
        end = time.monotonic() + 120
        while not answer and time.monotonic() < end:
            try:
                slow.sendall(b" ")
                answer = slow.recv(100)
            except TimeoutError:
                continue
            except ConnectionError:
                break
    if not answer.startswith(b"HTTP/1.1 408"):
        found.append(f"it was told {answer!r}")
    return [*found, *_idle(server)]


def duplicates(server: Server) -> list[str]:
    """One ranking is sent many times at once and again later, under one Idempotency-Key: it is one;
    another ranking under that key is refused.
    """
    body = {"model": "rankloop", "messages": question("twice"), "max_tokens": 8, "n": 2}
    answer = server.client.sure("/v1/chat/completions", body)["rankloop"]
    key = {"idempotency-key": "one of many"}

    def send(ranks: list[int]) -> tuple[int, int | None]:
        body = {"candidates": answer["candidates"], "ranks": ranks}
        told = server.client.post("/v1/rankings", body, key)
        return told.status_code, told.json().get("id")

    with ThreadPoolExecutor(MANY) as pool:
        told = [*pool.map(send, [[1, 2]] * MANY), send([1, 2])]
    server.client.rankings += {id for _, id in told if id is not None}
    found = [] if len({id for _, id in told}) == 1 else [f"there are several: {told}"]
    if sorted(status for status, _ in told) != [200] * MANY + [201]:
        found.append(f"statuses {told}")
    if (status := send([2, 1])[0]) != 422:
        found.append(f"another ranking under the key was told {status}")
    return found


def contention(server: Server) -> list[str]:
    """Another process keeps the database's one writer's place for seconds at a time, while people
    ask and rank: nobody is refused.
    """
    with closing(sqlite3.connect(server.folder.data / "rankloop.db", timeout=30)) as hog:
        hog.isolation_level = None
        with ThreadPoolExecutor(MANY) as pool:
            turns = [pool.submit(_own_turn, server, f"crowded {i}") for i in range(2 * MANY)]
            while not all(turn.done() for turn in turns):
                hog.execute("BEGIN IMMEDIATE")
                time.sleep(1.0)
                hog.execute("COMMIT")
                time.sleep(0.1)
    return [wrong for turn in turns for wrong in turn.result()]


def swap(server: Server) -> list[str]:
    """A version goes live while answers are being written: each is of one version to its end, those
    that run of the old one, the next of the new one.
    """
    before, id = server.client.ready(), publish(server.folder, slightly)
    with ThreadPoolExecutor(MANY) as pool:
        running = [pool.submit(_whole, server.client, f"running {i}") for i in range(MANY)]
        until(lambda: not _decode(server).endswith(" 0 rows"), "answers are being written")
        promote(server.folder, id)
        server.await_ready(id)
        after = server.client.turn("after the swap")
        versions = [future.result() for future in running]
    found = [f"an answer was of {named}" for named in versions if not named <= {before, id}]
    found += [f"an answer was of both {named}" for named in versions if len(named) != 1]
    if after != id:
        found.append(f"after the swap {after} answered")
    server.folder.store.rollback(actor="ada", reason="the row is over")
    server.await_ready(before)
    return found


def _whole(client: Client, name: str) -> set[str]:
    """The versions that a stream names, which comes to its end."""
    with client.stream(name) as frames:
        told = list(frames)
    assert told[-1] == {"done": True}, f"the stream broke off: {told[-1]}"
    return {frame["rankloop"]["version"] for frame in told if "rankloop" in frame}


def _own_turn(server: Server, name: str) -> list[str]:
    """A turn of which no call may be refused even once."""
    body = {"model": "rankloop", "messages": question(name), "max_tokens": 8, "n": 2}
    answer = server.client.post("/v1/chat/completions", body)
    if answer.status_code != 200:
        return [f"an answer was refused with {answer.status_code}"]
    told = answer.json()["rankloop"]
    server.client.answers |= dict.fromkeys(told["candidates"], told["version"])
    body = {"candidates": told["candidates"], "ranks": [1, 2]}
    kept = server.client.post("/v1/rankings", body, {"idempotency-key": name})
    if kept.status_code != 201:
        return [f"a ranking was refused with {kept.status_code}"]
    server.client.rankings.append(kept.json()["id"])
    return []


def _meanwhile(server: Server) -> list[str]:
    """Others' turns, while somebody is slow."""
    for number in range(3):
        server.client.turn(f"meanwhile {len(server.client.rankings)} {number}")
    return []


def _idle(server: Server) -> list[str]:
    """Nothing of what clients left is still decoded."""
    until(lambda: _decode(server) == "0 requests in 0 rows", "rows are free again")
    return []


def _decode(server: Server) -> str:
    found = server.client.health()
    return found["checks"]["decode"]["detail"] if found else ""


@contextmanager
def _connection(server: Server, length: int) -> Iterator[socket.socket]:
    """A request's headers have gone out, of whose body so many bytes are to come."""
    host, port = server.client.url.removeprefix("http://").split(":")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect((host, int(port)))
        headers = {"host": host, "content-type": "application/json", **HEADERS}
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = ["POST /v1/chat/completions HTTP/1.1", *lines, f"content-length: {length}", "", ""]
        connection.sendall("\r\n".join(head).encode())
        yield connection


def rows(standing: Standing) -> list[Row]:
    """One after the other, against one server."""
    runs: list[tuple[str, str, Callable[[Server], list[str]]]] = [
        ("client", "gone", client_gone),
        ("reader", "slow", slow_reader),
        ("writer", "slow", slow_writer),
        ("ranking", "submitted many times", duplicates),
        ("SQLite", "contention", contention),
        ("streams", "swap", swap),
    ]
    return [Row(name, fault, partial(_run, standing, run)) for name, fault, run in runs]


def _run(standing: Standing, run: Callable[[Server], list[str]]) -> list[str]:
    server = standing.up()
    return [*run(server), *server.broken()]
