"""A night in an hour: `python -m benchmarks.night --minutes 60 --out FOLDER`.

1. `rankloop up` with the built-in model. Twelve people chat and leave, twelve rank by a taste, in
   the chat and from the queue; the learner's rounds promote what passes the gate; an operator goes
   back and forth between versions.
2. For the first half, server, decoder, learner and page are killed (SIGKILL) in turn.
3. Then all stop, the last round ends, and it is read what is on record: every acknowledged ranking
   once, no answer cut or of two versions, no round that hangs, no traceback; and that memory and
   open files of no process grew over the quiet half.

The last line printed is one JSON object; it exits with 1 where something does not hold.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from benchmarks.night import picture, verdict, watch
from benchmarks.night.crowd import Chatter, Operator, Person, Place, Ranker
from benchmarks.night.journal import Journal
from benchmarks.people import load_preference
from benchmarks.product import Product, running

PREFERENCE = "benchmarks/preferences.py:asks_back"
TELL_S, SETTLE_S, OPERATOR_S = 60.0, 600.0, 90.0
IDLE = ("idle", "paused")


def main(
    minutes: Annotated[float, typer.Option(help="In all.")] = 60.0,
    people: Annotated[int, typer.Option(help="Who chat, and as many who rank.", min=1)] = 12,
    pause: Annotated[float, typer.Option(help="Seconds between what one person does.")] = 8.0,
    kills: Annotated[float, typer.Option(help="Minutes between kills in the first half.")] = 3.0,
    model: Annotated[str, typer.Option(help="builtin, or a folder.")] = "builtin",
    out: Annotated[Path | None, typer.Option(help="For the record and the picture.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of what people do and who is killed.")] = None,
) -> None:
    """Run, and print one JSON object; exits with 1 if anything does not hold."""
    seed = random.randrange(2**31) if seed is None else seed
    typer.echo(f"seed {seed}", err=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        running(Path(scratch) / "data", model, {}) as product,
    ):
        journal = Journal()
        place = Place(product.url, journal, threading.Event(), seed)
        crowd = _crowd(place, people, pause)
        _night(product, place, crowd, minutes * 60, kills * 60)
        rounds = _settled(product)
        wrong = verdict.broken(product.data, journal, minutes * 30)
    record = _record(journal, minutes, seed, rounds, wrong)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "night.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        picture.draw(journal, out / "night.png")
    typer.echo(json.dumps(record))
    if wrong:
        sys.exit(1)


def _crowd(place: Place, people: int, pause_s: float) -> list[Person]:
    """Everybody, not yet begun."""
    score = load_preference(PREFERENCE)
    chatters = [Chatter(f"chatter-{i:02d}", place, pause_s) for i in range(people)]
    rankers = [Ranker(f"ranker-{i:02d}", place, pause_s, score) for i in range(people)]
    return [*chatters, *rankers, Operator("operator", place, OPERATOR_S)]


def _night(
    product: Product, place: Place, crowd: list[Person], seconds: float, kill_s: float
) -> None:
    """People and kills, then people alone."""
    journal, over, quiet = place.journal, place.stop, threading.Event()
    rng = random.Random(place.seed)
    data, busy = product.data, [person.run for person in crowd]
    with _beside([lambda: watch.sample(data, journal, over), *busy], over):
        with _beside([lambda: watch.kill(data, journal, quiet, rng, kill_s)], quiet):
            _tell(journal, seconds / 2)
        _tell(journal, seconds)


@contextmanager
def _beside(calls: Sequence[Callable[[], None]], stop: threading.Event) -> Iterator[None]:
    """A thread for each, until the block ends; `stop` is their sign to."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _tell(journal: Journal, until_s: float) -> None:
    """Says now and then how far it is."""
    while (left_s := until_s - journal.now_s) > 0:
        time.sleep(min(TELL_S, left_s))
        said = f"{journal.now_s / 60:.0f} min: {journal.answers.total()} answers, "
        said += f"{len(journal.acknowledged)} rankings, {len(journal.kills)} kills, "
        typer.echo(said + f"{len(journal.faults)} faults", err=True)


def _settled(product: Product) -> list[dict[str, Any]]:
    """All rounds, once none runs any more."""
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        try:
            product.api.post("/v1/learner/pause")
            if product.api.get("/v1/learner")["state"] in IDLE:
                break
        except httpx.HTTPError:
            pass
        time.sleep(1)
    found: list[dict[str, Any]] = product.api.get("/v1/rounds")["data"]
    return found


def _record(
    journal: Journal,
    minutes: float,
    seed: int,
    rounds: list[dict[str, Any]],
    wrong: list[str],
) -> dict[str, Any]:
    states = [round["state"] for round in rounds]
    return {
        "minutes": minutes,
        "seed": seed,
        "answers": journal.answers.total(),
        "versions": dict(journal.answers),
        "left": journal.left,
        "rankings": len(journal.acknowledged),
        "rounds": {state: states.count(state) for state in sorted(set(states))},
        "moves": len(journal.moves),
        "kills": {role: sum(k.role == role for k in journal.kills) for role in watch.ROLES},
        "excused": dict(journal.excused),
        "growth": verdict.growth(journal, minutes * 30),
        "wrong": wrong,
    }


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(main)

if __name__ == "__main__":
    app()
