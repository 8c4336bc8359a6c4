"""A run as a picture and as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def draw(points: Sequence[Mapping[str, Any]], title: str, path: Path) -> None:
    """Win rate with its interval, guard and KL, over the rankings given so far."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rankings = [point["rankings"] for point in points]
    figure, (above, below) = plt.subplots(
        2, 1, sharex=True, figsize=(7, 6), height_ratios=(3, 1), layout="constrained"
    )
    win = [point["win_rate"] for point in points]
    low = [point["ci_low"] for point in points]
    high = [point["ci_high"] for point in points]
    above.fill_between(rankings, low, high, alpha=0.2, color="tab:blue", linewidth=0)
    above.plot(rankings, win, "o-", color="tab:blue", label="win rate over v0, 95 % interval")
    guard = [point["guard"] for point in points]
    above.plot(rankings, guard, "s--", color="tab:green", label="guard: right answers, greedy")
    above.axhline(0.5, color="grey", linewidth=0.8)
    above.set(ylim=(0, 1), ylabel="share", title=title)
    above.legend(loc="lower right")
    kl = [point["kl"] for point in points]
    below.plot(rankings, kl, "^-", color="tab:red", clip_on=False)
    below.set(xlabel="rankings given", ylabel="KL from v0, nats", ylim=(0, max(1.0, *kl) * 1.1))
    figure.savefig(path, dpi=150)
    plt.close(figure)


def side_by_side(examples: Sequence[Mapping[str, str]]) -> str:
    """Prompts with both answers, as Markdown."""
    lines = ["| prompt | v0 | live |", "|---|---|---|"]
    for example in examples:
        cells = (example[name].replace("|", "\\|") for name in ("prompt", "v0", "live"))
        lines.append("| " + " | ".join(cell.replace("\n", "<br>") for cell in cells) + " |")
    return "\n".join(lines)
