"""`python -m tests.faults`: every row, and a table of what came of it.

Each row runs the product's own processes on a tiny model: in a copy of one data folder, or, where a
fault is a request's or a version's, one after the other against one server that stays up. The seed,
which is printed, gives the moments of what comes at random.
"""

from __future__ import annotations

import argparse
import re
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import typer

from tests.faults import (
    clock_rows,
    database_rows,
    disk_rows,
    file_rows,
    learner_rows,
    process_rows,
    request_rows,
    server_rows,
)
from tests.faults.ground import Starts
from tests.faults.row import Row
from tests.faults.standing import Standing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rows", default="", help="only those whose ROW:FAULT has this pattern")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--deaths", type=int, default=100, help="at random moments")
    asked = parser.parse_args()
    typer.echo(f"seed {asked.seed}\n\n| row | fault | result | seconds |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="faults-") as root, ExitStack() as held:
        every = rows(Starts(Path(root)), held, asked.seed, asked.deaths)
        chosen = [row for row in every if re.search(asked.rows, f"{row.name}:{row.fault}")]
        failed = sum(not report(row) for row in chosen)
    typer.echo(f"\n{len(chosen)} rows, {failed} failed")
    return 1 if failed else 0


def rows(starts: Starts, held: ExitStack, seed: int, deaths: int) -> list[Row]:
    """All of them; what stays up from row to row ends with `held`."""
    standing = held.enter_context(closing(Standing(starts.fresh)))
    return [
        *learner_rows.rows(starts, seed, deaths),
        *server_rows.rows(starts),
        *file_rows.rows(standing),
        *request_rows.rows(standing),
        *process_rows.rows(standing),
        *disk_rows.rows(starts),
        *database_rows.rows(starts),
        *clock_rows.rows(starts),
    ]


def report(row: Row) -> bool:
    """Run it and print its line; whether nothing is broken."""
    began = time.monotonic()
    try:
        found = row.run()
    except Exception as error:  # noqa: BLE001  the driver's edge: the other rows still run
        found = [f"{type(error).__name__}: {error}"]
    result = "; ".join(found).replace("\n", " / ").replace("|", "!") or "all stand"
    typer.echo(f"| {row.name} | {row.fault} | {result} | {time.monotonic() - began:.0f} |")
    return not found


if __name__ == "__main__":
    sys.exit(main())
