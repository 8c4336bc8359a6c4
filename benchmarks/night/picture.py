"""The night in one picture: memory and open files of each role, with what was done to them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.night.journal import Journal
from benchmarks.night.watch import ROLES


def draw(journal: Journal, path: Path) -> None:
    """Two panels over minutes; dotted lines are kills, in the colour of who was killed."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 1, figsize=(10, 6), sharex=True, layout="constrained")
    for number, role in enumerate(ROLES):
        seen, colour = journal.of(role), f"C{number}"
        minutes = [s.at_s / 60 for s in seen]
        panels[0].plot(minutes, [s.resident_mib for s in seen], color=colour, label=role)
        panels[1].plot(minutes, [s.files for s in seen], color=colour)
        for kill in journal.kills:
            if kill.role == role:
                for panel in panels:
                    panel.axvline(kill.at_s / 60, color=colour, ls=":", lw=1)
    for at_s, _ in journal.moves:
        panels[0].axvline(at_s / 60, ymin=0.97, color="grey", lw=0.8)
    panels[0].set_ylabel("resident memory, MiB")
    panels[1].set_ylabel("open files")
    panels[1].set_xlabel("minutes (dotted: killed; ticks on top: promoted or rolled back)")
    panels[0].legend(fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)
