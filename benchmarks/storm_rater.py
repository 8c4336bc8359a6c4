"""One rater of a storm: `python -m benchmarks.storm_rater URL JOURNAL NAME COUNT ID,ID,.. ...`.

It ranks its comparisons in turn, COUNT times in all, and adds a line to its journal for each that
was acknowledged. Killed and started again it goes on from there: what was on its way goes once
more, under the same key.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

AGAIN_S = 0.1
PATIENCE_S = 300.0


def ranks_of(name: str, number: int, answers: int) -> list[int]:
    """What the rater thinks of its comparison at this turn, ties among it."""
    rng = random.Random(f"{name} {number}")
    return [rng.randint(1, answers) for _ in range(answers)]


def key_of(name: str, number: int) -> str:
    return f"{name}-{number}"


def journaled(journal: Path) -> int:
    """How many were acknowledged: whole lines, since a rater may be killed in one."""
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def main(url: str, journal: Path, name: str, count: int, comparisons: Sequence[str]) -> None:
    """Rank until all are acknowledged. Raises RuntimeError where one is refused."""
    done = journaled(journal)
    with journal.open("a") as file, httpx.Client(base_url=url, trust_env=False) as client:
        for number in range(done, count):
            candidates = comparisons[number % len(comparisons)].split(",")
            body = {
                "candidates": candidates,
                "ranks": ranks_of(name, number, len(candidates)),
                "user": name,
            }
            _send(client, body, key_of(name, number))
            file.write("\n")
            file.flush()


def _send(client: httpx.Client, body: dict[str, object], key: str) -> None:
    """Until it is acknowledged: a server that is gone, or has too much to do, is asked again."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            answer = client.post("/v1/rankings", json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            time.sleep(AGAIN_S)
            continue
        if answer.is_success:
            return
        # What a full server says is an answer too; anything else is a fault of the record's.
        if answer.status_code not in (429, 503):
            raise RuntimeError(f"{key}: {answer.status_code} {answer.text[:300]}")
        time.sleep(AGAIN_S)
    raise RuntimeError(f"{key}: nobody acknowledged it in {PATIENCE_S:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5:])
