"""Does the gate refuse bad updates and let good ones pass? `python -m benchmarks.updates`

1. The built-in model is live. Simulated people rank its answers, and a judge learns from them.
2. Twenty-two bad updates: damaged folders, broken weights, and policies taught what nobody wants.
   Ten good ones: PPO's versions, and policies taught the replies that people like.
3. Each is published as a version and goes before the gate, with its default limits.

What it prints last is one JSON object; before it a table of what each update ran into.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.workshop import table
from learner.parallel import use_threads

if TYPE_CHECKING:
    from benchmarks.update_stand import Stand, Update
    from learner.gate import Decision

HEADS = ("update", "expected", "refused by", "nearest limit or figure", "seconds")


@dataclass(frozen=True)
class Row:
    """What the gate said of one update; `expected` is None of a good one."""

    name: str
    expected: str | None
    refused: list[str]
    text: str
    figures: dict[str, float]
    seconds: float

    @property
    def right(self) -> bool:
        """Refused by the check that should, or not at all."""
        return self.expected in self.refused if self.expected else not self.refused

    def cells(self) -> list[str]:
        refused = ", ".join(self.refused) or "passed"
        return [self.name, self.expected or "", refused, self.text, f"{self.seconds:.1f}"]


def rows(stand: Stand, only: str) -> Iterator[Row]:
    """Every update whose name holds `only`, one after another."""
    from benchmarks.good_updates import good_updates
    from benchmarks.mistaught_updates import mistaught
    from benchmarks.spoiled_updates import spoiled

    for update in (*spoiled(), *mistaught(), *good_updates()):
        if only in update.name:
            id = update.make(stand)
            stand.judge(update.preference)  # its training is no part of the gate's time
            began = time.monotonic()
            decision = stand.decide(id, update.preference, update.newest)
            yield _row(update, decision, time.monotonic() - began)


def _row(update: Update, decision: Decision, seconds: float) -> Row:
    expected = update.check
    lost = [reason for reason in decision.reasons if not reason.passed]
    told = next((r for r in lost if r.check == expected), lost[0] if lost else None)
    told = told or next(r for r in decision.reasons if r.check == "win_rate")
    refused = [reason.check for reason in lost]
    return Row(update.name, expected, refused, told.text, decision.figures, seconds)


def main(
    out: Annotated[Path | None, typer.Option(help="For the rows, as JSON lines.")] = None,
    only: Annotated[str, typer.Option(help="Updates whose name holds this.")] = "",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    quick: Annotated[bool, typer.Option(help="Small figures that mean little.")] = False,
) -> None:
    """Try every update before the gate."""
    from benchmarks.update_stand import QUICK, Effort, Stand

    use_threads(threads)
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        stand = Stand(Path(folder), QUICK if quick else Effort())
        for row in rows(stand, only):
            found.append(row)
            typer.echo(f"{'ok' if row.right else 'NO':3}{' | '.join(row.cells())}")
            if out is not None:
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(vars(row)) + "\n")
    typer.echo(table(HEADS, [row.cells() for row in found]))
    bad = [row for row in found if row.expected]
    good = [row for row in found if not row.expected]
    summary = {
        "bad": len(bad),
        "refused": sum(bool(row.refused) for row in bad),
        "by_the_check_that_should": sum(row.right for row in bad),
        "good": len(good),
        "passed": sum(row.right for row in good),
    }
    typer.echo(json.dumps(summary))


if __name__ == "__main__":
    typer.run(main)
