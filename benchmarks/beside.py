"""What people feel of a learning round: `python -m benchmarks.beside`.

The product runs as its user starts it. Streams ask one answer after another, first while the
learner waits and then while a round runs, by turns, and their first tokens and gaps are compared.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.judge import in_parallel
from benchmarks.people import People, load_preference
from benchmarks.product import Product, running
from benchmarks.streams import Load, Target, Timed, closed_loop
from benchmarks.turns import chatting

PREFERENCE = "benchmarks/preferences.py:asks_back"
TOKENS = 64
EACH = 4
"""Answers of a stream between two looks at the round."""

ONLY_ASKED = {"learner.rankings_per_round": "100000", "learner.longest_wait_s": "100000"}
"""Rounds begin when this bench says so."""


@dataclass
class Felt:
    """All answers of one kind of time."""

    answers: list[Timed] = field(default_factory=list)
    seconds: float = 0.0
    failed: int = 0

    def add(self, load: Load) -> None:
        """What came of one more load."""
        self.answers += load.answers
        self.seconds += load.seconds
        self.failed += load.failed

    @property
    def figures(self) -> dict[str, float]:
        """In milliseconds, but for the counts and the tokens."""
        load = Load(self.answers, self.seconds, self.failed)
        return {
            "answers": len(self.answers),
            "failed": self.failed,
            "tokens_per_second": load.tokens_per_second,
            "ttft_p50": load.first(50),
            "ttft_p95": load.first(95),
            "between_p50": load.between(50),
            "between_p99": load.between(99),
        }


@dataclass
class Beside:
    """The product under streams, waiting and learning."""

    product: Product
    streams: int
    asked: int = 0
    idle: Felt = field(default_factory=Felt)
    learning: Felt = field(default_factory=Felt)
    outcomes: list[str] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        """For so long, while no round runs."""
        until = time.monotonic() + seconds
        self._while(lambda: time.monotonic() < until, self.idle)

    def learn(self) -> None:
        """For as long as a round takes."""
        api = self.product.api
        path = f"/v1/rounds/{api.post('/v1/rounds', stages=['reward', 'ppo'])['id']}"
        self._while(lambda: api.get(path)["state"] in ("queued", "running"), self.learning)
        self.outcomes.append(api.get(path)["outcome"])

    def _while(self, going: Callable[[], bool], felt: Felt) -> None:
        target = Target(self.product.url, "rankloop")
        while going():
            felt.add(closed_loop(target, self.streams, EACH, TOKENS, self.asked))
            self.asked += self.streams * EACH


def measure(beside: Beside, turns: int, idle_s: float) -> dict[str, Any]:
    """Both kinds of time by turns; the rounds' outcomes with them."""
    beside.wait(3.0)
    beside.idle = Felt()  # what is loaded at the first request is in neither
    for turn in range(turns):
        beside.wait(idle_s)
        beside.learn()
        typer.echo(f"turn {turn + 1} of {turns}: {beside.outcomes[-1]}", err=True)
    idle, learning = beside.idle.figures, beside.learning.figures
    ratio = learning["ttft_p95"] / idle["ttft_p95"]
    both = {"idle": idle, "learning": learning, "ttft_p95_ratio": ratio}
    return {"streams": beside.streams, **both, "rounds": beside.outcomes}


def main(
    streams: Annotated[int, typer.Option(help="At a time.", min=1)] = 1,
    rankings: Annotated[int, typer.Option(help="Given before the first round.", min=8)] = 48,
    turns: Annotated[int, typer.Option(help="Of waiting and learning.", min=1)] = 3,
    idle_s: Annotated[float, typer.Option(help="Seconds of waiting in a turn.")] = 30.0,
    quick: Annotated[bool, typer.Option(help="A short round that means nothing.")] = False,
) -> None:
    """Prints one object: figures of both times, and the ratio of their slow first tokens."""
    people = People(load_preference(PREFERENCE), rankings, seed=0)
    settings = dict(ONLY_ASKED)
    if quick:
        settings |= {"learner.ppo.steps": "1", "learner.ppo.prompts_per_step": "4"}
        settings |= {"learner.gate.regression_prompts": "20", "learner.gate.win_prompts": "20"}
    with (
        tempfile.TemporaryDirectory(prefix="rankloop-beside-") as folder,
        running(Path(folder) / "data", "builtin", settings) as product,
    ):
        in_parallel(chatting(product.api, people), range(rankings))
        result = measure(Beside(product, streams), turns, idle_s)
    typer.echo(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
