"""The serving comparison as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OURS = "rankloop"
BEHIND, BARE = "rankloop on vllm", "vllm"


@dataclass(frozen=True)
class Row:
    """One side's medians under one load; `bare`: tokens/s of the bare forward pass of as many
    rows."""

    load: str
    side: str
    figures: Mapping[str, float]
    bare: float | None = None


def as_markdown(rows: Sequence[Row], memory: Mapping[str, float], four: float) -> str:
    """One line for each load and side, with the ratio of our tokens to its. `memory`: peaks in MiB;
    `four`: the time of four answers in one request, as a share of that of four requests."""
    names = list(rows[0].figures)
    lines = ["| load | server | " + " | ".join(names) + " | Rankloop's tokens/s to it |"]
    lines.append("|" + "---|" * (len(names) + 3))
    ours = {row.load: row for row in rows if row.side == OURS}
    for row in rows:
        ratio = f"{ours[row.load].figures['tokens/s'] / row.figures['tokens/s']:.2f}"
        cells = [_shown(name, row.figures[name]) for name in names]
        lines.append(f"| {row.load} | {row.side} | " + " | ".join(cells) + f" | {ratio} |")
    shares = ", ".join(
        f"{row.load} {100 * row.figures['tokens/s'] / row.bare:.0f} %"
        for row in ours.values()
        if row.bare
    )
    behind = _behind(rows)
    peaks = ", ".join(f"{name} {mib:.0f} MiB" for name, mib in memory.items())
    together = f"Four answers to one request take {100 * four:.0f} % of the time of four requests."
    share = f"Rankloop over HTTP, of transformers' bare forward pass on one thread: {shares}."
    said = [share, *([behind] if behind else []), together, f"Peak memory: {peaks}."]
    return "\n".join([*lines, *(part for one in said for part in ("", one)), ""])


def _behind(rows: Sequence[Row]) -> str | None:
    """What is left of vLLM's tokens when they come through Rankloop; None without both."""
    rates = {(row.load, row.side): row.figures["tokens/s"] for row in rows}
    shares = [
        f"{load} {100 * rates[load, BEHIND] / rates[load, BARE]:.0f} %"
        for load in dict.fromkeys(row.load for row in rows)
        if (load, BEHIND) in rates and (load, BARE) in rates
    ]
    return f"Rankloop on vLLM, of vLLM by itself: {', '.join(shares)}." if shares else None


def _shown(name: str, value: float) -> str:
    if name == "goodput":
        return f"{value:.2f}"
    return f"{value:.0f}" if value >= 100 or name == "failed" else f"{value:.1f}"


def draw(rows: Sequence[Row], title: str, path: Path) -> None:
    """Tokens per second and the slowest first tokens, side by side for each load."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    loads = list(dict.fromkeys(row.load for row in rows))
    sides = list(dict.fromkeys(row.side for row in rows))
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for panel, name in zip(panels, ("tokens/s", "TTFT p99, ms"), strict=True):
        for place, side in enumerate(sides):
            found = {row.load: row.figures[name] for row in rows if row.side == side}
            at = [number + (place - (len(sides) - 1) / 2) * 0.27 for number in range(len(loads))]
            bars = panel.bar(at, [found[load] for load in loads], 0.25, label=side)
            panel.bar_label(bars, fmt="%.0f", fontsize=7)
        panel.set(title=name, xticks=range(len(loads)), xticklabels=loads)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    figure.suptitle(title)
    figure.savefig(path, dpi=150)
    plt.close(figure)
