"""Several closed loops in one picture and one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Labelled = tuple[str, Mapping[str, Any]]
"""A run's label and its record."""

EARLY = 64
"""Rankings at which a second look is taken."""

SHOWN = (("win_rate", "win rate over v0"), ("guard", "right answers"), ("kl", "KL from v0, nats"))


def draw(runs: Sequence[Labelled], title: str, path: Path) -> None:
    """Win rate, guard and KL over the rankings given and over the learner's seconds; dotted, the
    win rate of the best of four v0 answers by the reward model.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(3, 2, figsize=(10, 9), sharex="col", layout="constrained")
    for number, (label, record) in enumerate(runs):
        colour, points = f"C{number % 10}", record["points"]
        for column, over in enumerate(("rankings", "learner_seconds")):
            across = [point[over] for point in points]
            for row, (name, _) in enumerate(SHOWN):
                values = [point[name] for point in points]
                panels[row][column].plot(across, values, "o-", ms=3, color=colour, label=label)
            best = [(x, p["best_of"]) for x, p in zip(across, points, strict=True) if p["best_of"]]
            if best:
                panels[0][column].plot(*zip(*best, strict=True), ":", color=colour)
    for row, (_, name) in enumerate(SHOWN):
        panels[row][0].set_ylabel(name)
    panels[2][0].set_xlabel("rankings given")
    panels[2][1].set_xlabel("learner seconds")
    panels[0][0].legend(fontsize=7)
    figure.suptitle(f"{title} (dotted: best of 4 v0 answers by the reward model)", fontsize=10)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def table(runs: Sequence[Labelled]) -> str:
    """A line for each run."""
    lines = [
        f"| run | win rate at {EARLY} | win rate in the end (95 % interval) | of the way to the "
        "ceiling | best of 4 | right answers, v0 → live | KL, nats | promoted | learner |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(label, record) for label, record in runs]
    return "\n".join([*lines, ""])


def _line(label: str, record: Mapping[str, Any]) -> str:
    points, reports = record["points"], record["outcomes"]
    early = [point["win_rate"] for point in points if point["rankings"] <= EARLY][-1]
    best = record["best_of_4"]
    cells = [
        label,
        f"{early:.2f}",
        f"{record['win_rate']:.2f} ({record['ci_low']:.2f} to {record['ci_high']:.2f})",
        f"{_way(record['win_rate'], record['ceiling']):.2f}",
        "" if best is None else f"{best:.2f}",
        f"{record['guard_before']:.3f} → {record['guard_after']:.3f}",
        f"{record['kl']:.1f}",
        f"{reports.count('promoted')} of {len(reports)}",
        f"{record['learner_seconds']:.0f} s",
    ]
    return "| " + " | ".join(cells) + " |"


def _way(rate: float, ceiling: float) -> float:
    """How much of the way from one half to the ceiling."""
    return (rate - 0.5) / (ceiling - 0.5) if ceiling > 0.5 else 0.0
