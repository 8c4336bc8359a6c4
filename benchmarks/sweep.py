"""The closed loop again and again, and its curves: `python -m benchmarks.sweep NAME --out FOLDER`.

A sweep is a list of runs of `benchmarks.closed_loop` that differ in one thing. A run that has
already left its record is not run again, so that a sweep may be stopped and gone on with.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.curves import draw, table

PREFERENCES = ("asks_back", "takes_up_words", "in_one_piece", "writes_as_asked")
FILE = "benchmarks/preferences.py"


@dataclass(frozen=True)
class Run:
    """One closed loop, by what people prefer, its seed, and the settings that it changes."""

    label: str
    preference: str
    seed: int
    rankings: int = 200
    careless: float = 0.1
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.label}-{self.preference}-{self.seed}".replace(" ", "-")

    def command(self, out: Path, quick: bool) -> list[str]:
        """As people would type it."""
        command = [sys.executable, "-m", "benchmarks.closed_loop"]
        command += ["--preference", f"{FILE}:{self.preference}", "--seed", str(self.seed)]
        command += ["--rankings", str(self.rankings), "--careless", str(self.careless)]
        command += ["--data", str(out / "data"), "--out", str(out)]
        for name, value in self.settings.items():
            command += ["--set", f"{name}={value}"]
        return [*command, "--quick"] if quick else command


class Sweep(StrEnum):
    """What differs between its runs."""

    SEEDS = "seeds"
    METHODS = "methods"
    CARELESS = "careless"
    SETTINGS = "settings"


def runs_of(sweep: Sweep, seeds: int) -> list[Run]:
    """In order: what is looked at first comes first."""
    numbers, manner = range(seeds), PREFERENCES[0]
    match sweep:
        case Sweep.SEEDS:
            return [Run(each, each, seed) for seed in numbers for each in PREFERENCES]
        case Sweep.METHODS:
            given = [(method, {"learner.method": method}) for method in ("ppo", "rloo")]
            return [Run(m, manner, seed, settings=s) for seed in numbers for m, s in given]
        case Sweep.CARELESS:
            names = [(each, seed) for seed in numbers for each in PREFERENCES[:2]]
            return [Run("a quarter random", each, seed, careless=0.25) for each, seed in names]
        case Sweep.SETTINGS:
            return [_varied(name, value) for name, values in VARIED.items() for value in values]


def _varied(name: str, value: str) -> Run:
    settings = {f"learner.ppo.{name}": value}
    return Run(f"{name} {value}", PREFERENCES[0], 0, rankings=96, settings=settings)


VARIED: Mapping[str, Sequence[str]] = {
    "learning_rate": ("1e-4", "3e-4", "1e-3"),
    "kl_coef": ("0.02", "0.2", "1.0"),
    "ptx": ("0.0", "0.2", "1.0"),
    "epochs": ("1", "2", "4"),
}
"""One at a time, the middle or the first being what ships."""


def main(
    sweep: Annotated[Sweep, typer.Argument(help="Which runs.")],
    seeds: Annotated[int, typer.Option(help="Of each.", min=1)] = 3,
    out: Annotated[Path | None, typer.Option(help="Records and curves. [a new folder]")] = None,
    quick: Annotated[bool, typer.Option(help="Small runs that mean nothing.")] = False,
    most: Annotated[int | None, typer.Option(help="Runs at most, of those that are left.")] = None,
) -> None:
    """Run what has no record yet; then draw the curves and print the table of all that has."""
    out = (out or Path(tempfile.mkdtemp(prefix="rankloop-sweep-"))).absolute()
    runs = runs_of(sweep, seeds)
    left = [run for run in runs if _record(out / run.name) is None]
    for number, run in enumerate(left[:most], 1):
        typer.echo(f"run {number} of {len(left)}: {run.name}", err=True)
        _run(run, out / run.name, quick)
    found = [(run, record) for run in runs if (record := _record(out / run.name))]
    if not found:
        raise SystemExit(f"no run of {sweep.value} has left a record in {out}")
    labelled = [(f"{run.label}, seed {run.seed}", record) for run, record in found]
    draw(labelled, f"{sweep.value}", out / f"{sweep.value}.png")
    text = table(labelled)
    (out / f"{sweep.value}.md").write_text(text)
    typer.echo(text)
    typer.echo(f"curves, table and records in {out}")


def _run(run: Run, out: Path, quick: bool) -> None:
    """Its log goes beside its record. Raises SystemExit where it fails."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log").open("w") as log:
        done = subprocess.run(run.command(out, quick), stdout=log, stderr=log, check=False)
    if done.returncode:
        raise SystemExit(f"{run.name} failed:\n{(out / 'log').read_text()[-2000:]}")


def _record(folder: Path) -> dict[str, Any] | None:
    path = folder / "closed_loop.json"
    return json.loads(path.read_text()) if path.is_file() else None


if __name__ == "__main__":
    typer.run(main)
