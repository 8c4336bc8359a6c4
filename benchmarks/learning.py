"""How fast a policy is improved, beside TRL and beside the bare passes that it needs:
`python -m benchmarks.learning`.

Every side does the same work on the same random weights, each in a process of its own; they take
their steps in turn, so that a slow minute of the machine is everybody's, and figures are medians.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.learning_reward import comparisons_per_second, padding
from benchmarks.learning_side import Side, Work, running
from benchmarks.shapes import Shape, write
from learner.parallel import use_threads

FOLDER = Path(__file__).parent
OURS = "rankloop"


class Preset(StrEnum):
    """What the figures are of: two models on a CPU, or one of half a billion weights on a GPU."""

    CPU = "cpu"
    GPU = "gpu"


def main(
    preset: Annotated[Preset, typer.Option(help="cpu, or gpu where there is one.")] = Preset.CPU,
    shape: Annotated[Shape, typer.Option(help="Of the model, on a CPU.")] = Shape.SMALL,
    trl: Annotated[Path | None, typer.Option(help="A Python that has trl 1.12.0.")] = None,
    steps: Annotated[int, typer.Option(help="Of each side, after one to warm up.", min=1)] = 5,
    prompts: Annotated[int, typer.Option(help="Of a step.", min=2)] = 64,
    epochs: Annotated[int, typer.Option(help="Passes over a step's replies.", min=1)] = 4,
    threads: Annotated[int, typer.Option(help="Of each side.", min=1)] = 2,
    rankings: Annotated[int, typer.Option(help="For the reward model's rate; 0: none.")] = 160,
    out: Annotated[Path | None, typer.Option(help="For table and record. [a new folder]")] = None,
) -> None:
    """Compare, print a table and a last line of JSON."""
    if preset is Preset.GPU and not torch.cuda.is_available():
        raise SystemExit("--preset gpu: torch sees no GPU on this machine; nothing was measured.")
    out = out or Path(tempfile.mkdtemp(prefix="rankloop-learning-"))
    out.mkdir(parents=True, exist_ok=True)
    shape = Shape.LARGE if preset is Preset.GPU else shape
    device, dtype = ("cuda:0", "bfloat16") if preset is Preset.GPU else ("cpu", "float32")
    model = write(out / shape.value, shape, dtype)
    work = Work(str(model), prompts=prompts, epochs=epochs, steps=steps + 1, threads=threads)
    work = replace(work, minibatch=prompts // 2, device=device)
    with ExitStack() as stack:
        sides = [
            stack.enter_context(running(name, command, given, out / f"{name}.log"))
            for name, (command, given) in asked_of(work, trl).items()
        ]
        in_turn(sides, work.steps)
        rows = {side.name: figures_of(side, work) for side in sides}
    typer.echo("comparisons of the reward model, and padding", err=True)
    use_threads(threads)
    rates = comparisons_per_second(model, rankings) if rankings else {}
    waste = padding()
    table = as_markdown(rows) + beside(rates, waste)
    (out / "learning.md").write_text(table)
    record = {
        "shape": shape.value,
        "work": vars(work),
        "sides": rows,
        "comparisons_per_second": rates,
        "padding": waste,
    }
    (out / "learning.json").write_text(json.dumps(record, indent=1))
    typer.echo(table)
    typer.echo(json.dumps(record))


def asked_of(work: Work, trl: Path | None) -> dict[str, tuple[list[str], Work]]:
    """Each side's command and work; what nothing here has is left out."""
    ours = [sys.executable, "-m", "benchmarks.learning_ours"]
    found = {
        OURS: (ours, work),
        "rankloop, a critic of its own": (ours, replace(work, critic="own")),
        "bare passes": ([sys.executable, "-m", "benchmarks.learning_bare"], work),
    }
    if trl is not None:
        found["trl"] = ([str(trl), str(FOLDER / "learning_trl.py")], work)
    return found


def in_turn(sides: list[Side], steps: int) -> None:
    """One step of each after another, so many times."""
    for number in range(steps):
        for side in sides:
            seconds = side.step()["seconds"]
            what = f"step {number} of {steps - 1}" if number else "warm-up"
            typer.echo(f"{what}: {side.name} {seconds:.2f} s", err=True)


def figures_of(side: Side, work: Work) -> dict[str, float]:
    """Medians over the steps after the first, and the peak."""
    steps = side.steps[1:]
    seconds = statistics.median(step["seconds"] for step in steps)
    figures = {
        "episodes/s": work.prompts / seconds,
        "reply tokens/s": statistics.median(
            work.prompts * step["reply_tokens"] / step["seconds"] for step in steps
        ),
        "peak MiB": steps[-1]["peak_mib"],
    }
    if all("generation" in step for step in steps):
        share = statistics.median(step["generation"] / step["seconds"] for step in steps)
        figures["share of generation"] = share
    return figures


def beside(rates: dict[str, float], waste: float) -> str:
    """The reward model's figures and the padding, in sentences."""
    text = f"\nOf the passes over four answers to each prompt {100 * waste:.1f} % is padding.\n"
    if rates:
        whole, pairs = rates["rankings"], rates["pairs"]
        text += (
            f"\nThe reward model learns from {whole:.0f} comparisons/s as rankings of four and "
            f"from {pairs:.0f} as pairs of their own: {whole / pairs:.1f} times.\n"
        )
    return text


def as_markdown(rows: dict[str, dict[str, float]]) -> str:
    """A line for each side, with ours to it."""
    ours = rows[OURS]
    lines = [
        "| side | episodes/s | reply tokens/s | peak memory | generation | "
        "Rankloop's episodes/s to it | memory to it |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        speed, memory = (ours[key] / row[key] for key in ("episodes/s", "peak MiB"))
        share = row.get("share of generation")
        cells: list[Any] = [
            name,
            f"{row['episodes/s']:.1f}",
            f"{row['reply tokens/s']:.0f}",
            f"{row['peak MiB']:.0f} MiB",
            "" if share is None else f"{100 * share:.0f} %",
            f"{speed:.2f}",
            f"{memory:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    typer.run(main)
