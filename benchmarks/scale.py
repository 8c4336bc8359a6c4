"""How many servers do so many people need, and what do they wait? `python -m benchmarks.scale
--data FOLDER`.

1. Requests come as a real service's did (a trace in FOLDER), its bursts and all, at the rate of the
   busiest hour of so many daily users; lengths scaled to the model's.
2. A server is as fast as docs/performance.md measured it, or as `--speed` says of another model or
   machine. `benchmarks.scale_queue` has the queueing, in simulated time.
3. Printed: the fewest servers that keep first tokens and pace within the goal; what a learner has
   to do; how the database grows, by the bytes of a real one; memory by model.

The last line printed is one JSON object.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import typer

from benchmarks import scale_memory
from benchmarks.scale_queue import Ask, Outcome, Speed, at_rate, needed, read_trace
from benchmarks.scale_record import Growth, measure

TRACE = "trace_azure_conv_half.csv.gz"
PERFORMANCE = Path(__file__).parent.parent / "docs" / "performance.md"
DAY, HOUR = 86_400, 3600.0
ROUND_S = 100.0
"""Of a round of 32 rankings on two cores (docs/architecture.md): 95 to 108 s."""

ROUND_SHARE = 0.5
"""Of a learner's time that rounds may take, so that one that fails leaves room."""


@dataclass(frozen=True)
class Habits:
    """What a daily user does. `busiest`: of a day's requests, the share of the busiest hour."""

    requests: float
    busiest: float
    rankings: float

    def per_second(self, users: int) -> float:
        """In the busiest hour."""
        return users * self.requests * self.busiest / HOUR


@dataclass(frozen=True)
class Goal:
    """For 95 % of requests: seconds to the first token at most, tokens per second at least."""

    first_token: float
    pace: float

    def is_met(self, outcome: Outcome) -> bool:
        return outcome.waited(0.95) <= self.first_token and outcome.pace(0.05) >= self.pace


@dataclass(frozen=True)
class Row:
    """What so many users need."""

    users: int
    requests_per_second: float
    tokens_per_second: float
    servers: int
    busy: float
    first_token_p50: float
    first_token_p95: float
    first_token_p99: float
    pace_p5: float
    rankings_per_day: float
    rankings_per_round: int
    rounds_per_day: float
    gib_per_year: float


def main(
    data: Annotated[Path, typer.Option(help=f"The folder with {TRACE}.")],
    users: Annotated[str, typer.Option(help="Daily ones, with commas.")] = "10,1000,100000",
    requests: Annotated[float, typer.Option(help="Of a user, a day.")] = 10.0,
    busiest: Annotated[float, typer.Option(help="Share of a day's in its busiest hour.")] = 0.12,
    rankings: Annotated[float, typer.Option(help="Of a user, a day.")] = 0.5,
    first_token: Annotated[float, typer.Option(help="Seconds, for 95 %.")] = 1.0,
    pace: Annotated[float, typer.Option(help="Tokens per second, for 95 %.")] = 20.0,
    lengths: Annotated[float, typer.Option(help="Of the trace's, as the model's.")] = 0.125,
    speed: Annotated[str, typer.Option(help="Streams:tokens/s, with commas. [measured]")] = "",
    rows: Annotated[int, typer.Option(help="Answers at a time on a server.")] = 32,
    rows_measured: Annotated[int, typer.Option(help="Requests of the measured record.")] = 400,
) -> None:
    """Print tables of Markdown, and one JSON object."""
    trace = data / TRACE
    if not trace.is_file():
        raise typer.BadParameter(f"there is no {TRACE} in {data}", param_hint="--data")
    asks, of_server = read_trace(trace), given(speed) if speed else measured("rankloop")
    habits, goal = Habits(requests, busiest, rankings), Goal(first_token, pace)
    prompt, answer = (
        round(lengths * mean(tokens))
        for tokens in ([ask.prompt for ask in asks], [ask.answer for ask in asks])
    )
    with tempfile.TemporaryDirectory() as folder:
        growth = measure(f"sqlite:///{folder}/record.db", prompt, answer, count=rows_measured)
    found = [
        row_of(int(count), asks, of_server, rows, habits, goal, lengths, growth)
        for count in users.split(",")
    ]
    for line in (*people_table(found), "", *learner_table(found, growth), "", *memory_table(rows)):
        typer.echo(line)
    typer.echo(
        json.dumps(
            {
                "speed": of_server.points,
                "prompt": prompt,
                "answer": answer,
                "habits": asdict(habits),
                "goal": asdict(goal),
                "bytes": asdict(growth),
                "users": [asdict(row) for row in found],
            }
        )
    )


def row_of(
    users: int,
    trace: Sequence[Ask],
    speed: Speed,
    rows: int,
    habits: Habits,
    goal: Goal,
    lengths: float,
    growth: Growth,
) -> Row:
    asks = at_rate(trace, habits.per_second(users), lengths)
    servers, outcome = needed(asks, speed, rows, goal.is_met)
    per_day = users * habits.rankings
    per_round = round_of(per_day)
    others = users * habits.requests - per_day
    return Row(
        users=users,
        requests_per_second=habits.per_second(users),
        tokens_per_second=habits.per_second(users) * mean(ask.prompt + ask.answer for ask in asks),
        servers=servers,
        busy=outcome.busy,
        first_token_p50=outcome.waited(0.5),
        first_token_p95=outcome.waited(0.95),
        first_token_p99=outcome.waited(0.99),
        pace_p5=outcome.pace(0.05),
        rankings_per_day=per_day,
        rankings_per_round=per_round,
        rounds_per_day=per_day / per_round,
        gib_per_year=365 * (per_day * growth.ranking + others * growth.request) / 2**30,
    )


def round_of(per_day: float) -> int:
    """Rankings that one round must take for a learner to keep up: 32, or twice that, and so on. It
    is taken to last as long, which nobody has measured.
    """
    per_round = 32
    while per_day / per_round * ROUND_S > ROUND_SHARE * DAY:
        per_round *= 2
    return per_round


def measured(server: str) -> Speed:
    """From the table in docs/performance.md."""
    found = re.findall(
        rf"^\| (\d+) streams? \| {server} \| ([\d.]+) \|", PERFORMANCE.read_text(), re.MULTILINE
    )
    assert found, f"docs/performance.md has no row of {server}"
    return Speed(tuple((int(streams), float(rate)) for streams, rate in found))


def given(text: str) -> Speed:
    """`1:28,8:175`."""
    pairs = [pair.split(":") for pair in text.split(",")]
    return Speed(tuple(sorted((int(streams), float(rate)) for streams, rate in pairs)))


def heading(*names: str) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"


def people_table(rows: Sequence[Row]) -> Iterator[str]:
    yield from heading(
        "daily users",
        "requests/s",
        "tokens/s",
        "servers",
        "busy",
        "first token p50, p95, p99, s",
        "pace, tokens/s",
    )
    for row in rows:
        first = f"{row.first_token_p50:.3f}, {row.first_token_p95:.3f}, {row.first_token_p99:.3f}"
        yield (
            f"| {row.users:,} | {row.requests_per_second:.3g} | {row.tokens_per_second:.3g} "
            f"| {row.servers} | {row.busy:.0%} | {first} | {row.pace_p5:.0f} |"
        )


def learner_table(rows: Sequence[Row], growth: Growth) -> Iterator[str]:
    yield (
        f"A request with one answer takes {growth.request:,.0f} bytes of the record, a ranked"
        f" comparison of four {growth.ranking:,.0f}."
    )
    yield ""
    yield from heading(
        "daily users",
        "rankings a day",
        "`learner.rankings_per_round`",
        "rounds a day",
        "record, GiB a year",
    )
    for row in rows:
        yield (
            f"| {row.users:,} | {row.rankings_per_day:,.0f} | {row.rankings_per_round:,} "
            f"| {row.rounds_per_day:.3g} | {row.gib_per_year:.3g} |"
        )


def memory_table(rows: int) -> Iterator[str]:
    yield from heading("model, GiB", "server", "with adapters", "a round", "of adapters")
    for model in scale_memory.MODELS:
        found: dict[str, Any] = asdict(scale_memory.of(model, rows, context=2048))
        yield f"| {model.name} | " + " | ".join(f"{v / 2**30:.1f}" for v in found.values()) + " |"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(main)

if __name__ == "__main__":
    app()
