"""How fast answers come, beside what people would take instead: `python -m benchmarks.serving`.

All servers run on the same weights, one load after another on each in turn, so that a slow minute
of the machine is everybody's; figures are medians of the repeats. A load is so many streams, each
asking again as soon as it is answered; with `--trace` also requests at the times that real people
sent theirs.
"""

from __future__ import annotations

import csv
import gzip
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.bare import tokens_per_second
from benchmarks.serving_report import Row, as_markdown, draw
from benchmarks.sides import Side, alone, running
from benchmarks.streams import Ask, Load, closed_loop, open_loop, together

BUILTIN = Path(__file__).parent.parent / "policy" / "builtin" / "weights"
PROMPTS = 1000
"""More than any load asks, so that its repeats share none."""
ANSWERS, EACH = 96, 12
"""Of a load at least, in all and to each stream: the first ones, which all ask at one moment, are
not to decide, and a 99th percentile is to mean something."""
Asked = Callable[[Side, int], Load]
"""A load, on a side, from the prompt of a number on."""
FIGURES: Mapping[str, Callable[[Load], float]] = {
    "tokens/s": lambda load: load.tokens_per_second,
    "TTFT p50, ms": lambda load: load.first(50),
    "TTFT p99, ms": lambda load: load.first(99),
    "between tokens p50, ms": lambda load: load.between(50),
    "between tokens p99, ms": lambda load: load.between(99),
    "goodput": lambda load: load.goodput(0.5, 0.05),
    "failed": lambda load: float(load.failed),
}


def main(
    model: Annotated[Path, typer.Option(help="Folder of the weights.")] = BUILTIN,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16, on every side.")] = "float32",
    vllm: Annotated[Path | None, typer.Option(help="A Python that has vLLM.")] = None,
    transformers: Annotated[
        Path | None, typer.Option(help="A Python that has transformers[serving].")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Requests as TIMESTAMP,ContextTokens,GeneratedTokens.")
    ] = None,
    streams: Annotated[str, typer.Option(help="Streams at a time; may be none.")] = "1,8,32",
    tokens: Annotated[int, typer.Option(help="Tokens of each answer.")] = 64,
    repeats: Annotated[int, typer.Option(help="Of each load on each side.")] = 5,
    out: Annotated[Path, typer.Option(help="Where the record goes.")] = Path("serving"),
) -> None:
    """Compare, print a table, and write it with a picture and all figures to `out`."""
    given = {"transformers": transformers, "vllm": vllm}
    others = {name: python for name, python in given.items() if python is not None}
    loads: dict[str, Asked] = {}
    bare: dict[str, float] = {}
    for count in map(int, filter(None, streams.split(","))):
        name = f"{count} streams" if count > 1 else "1 stream"
        loads[name] = partial(streaming, count, max(EACH, ANSWERS // count), tokens)
        bare[name] = tokens_per_second(model, dtype, count)
    if trace is not None:
        asks = slice_of(trace)
        loads["trace"] = lambda side, first: open_loop(side.target, asks, first)
    with running(model, dtype, out / "servers", others) as sides:
        rows = [
            Row(name, side, figures, bare.get(name))
            for name, load in loads.items()
            for side, figures in compared(name, load, sides, repeats).items()
        ]
        share = together(sides[0].target, 4, tokens, repeats)
        memory = {side.name: side.peak_mib for side in sides}
    table = as_markdown(rows, memory, share)
    (out / "serving.md").write_text(table)
    name = "built-in model" if model == BUILTIN else model.name
    draw(rows, f"{name}, {dtype}, answers of {tokens} tokens", out / "serving.png")
    record = {"rows": [vars(row) for row in rows], "peak_mib": memory, "four_at_once": share}
    (out / "serving.json").write_text(json.dumps(record, indent=1))
    typer.echo(table)


def streaming(streams: int, each: int, tokens: int, side: Side, first: int) -> Load:
    return closed_loop(side.target, streams, each, tokens, first)


def compared(
    name: str, load: Asked, sides: Sequence[Side], repeats: int
) -> dict[str, dict[str, float]]:
    """Each side's medians: the load on each in turn, once to warm up and `repeats` times more, of
    prompts that it has not seen."""
    found: dict[str, list[Load]] = {side.name: [] for side in sides}
    for repeat in range(repeats + 1):
        for side in sides:
            with alone(side, sides):
                done = load(side, repeat * PROMPTS)
            if repeat:
                found[side.name].append(done)
                typer.echo(f"{name}: {side.name} {done.tokens_per_second:.0f} tokens/s", err=True)
    return {
        side: {what: statistics.median(map(read, loads)) for what, read in FIGURES.items()}
        for side, loads in found.items()
    }


def slice_of(trace: Path, seconds: float = 60.0, most: int = 60) -> list[Ask]:
    """The first requests of a trace in so many seconds, their lengths scaled to a small model: an
    eighth of the words and of the tokens."""
    with gzip.open(trace, "rt") if trace.suffix == ".gz" else trace.open() as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(most), strict=False)]
    times = [_seconds(row) for row in rows]
    scale = seconds / max(times[-1] - times[0], 1e-9)
    return [
        Ask(
            words=max(4, min(int(row["ContextTokens"]) // 8, 300)),
            tokens=max(4, min(int(row["GeneratedTokens"]) // 8, 200)),
            at=(at - times[0]) * min(scale, 1.0),
        )
        for row, at in zip(rows, times, strict=True)
    ]


def _seconds(row: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(row["TIMESTAMP"])[:26]).timestamp()


if __name__ == "__main__":
    typer.run(main)
