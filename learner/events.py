"""A round's figures as TensorBoard events, beside the rows that they are in anyway.

The rows are the truth: whoever opens a round's folder writes it anew from them, and a step that is
there is not written again. So a round that goes on after an interruption has each step once, and
one that starts over has none of before.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from feedback.records import MetricPoint


def lacking(folder: Path | None) -> str | None:
    """What must be installed before events can be written to `folder`, as a sentence."""
    if folder is None or find_spec("tensorboard") is not None:
        return None
    return (
        f"learner.tensorboard is {folder}, and the package that writes events is not installed: "
        "pip install tensorboard, or leave the setting out"
    )


class Events:
    """The events of one round, each as `stage/figure` over the stage's steps."""

    def __init__(self, folder: Path, on_record: Sequence[MetricPoint]) -> None:
        """`folder` is the round's own, and is emptied."""
        from torch.utils.tensorboard import SummaryWriter  # only where it is asked for

        shutil.rmtree(folder, ignore_errors=True)
        self.writer = SummaryWriter(folder)
        self.written: set[tuple[str, int]] = set()
        for point in on_record:
            finite = {name: x for name, x in point.values.items() if x is not None}
            self.write(point.stage, point.step, finite, point.at)

    def write(
        self, stage: str, step: int, values: Mapping[str, float], at: float | None = None
    ) -> None:
        """A step's figures, for people to see at once; `at` in Unix seconds, None is now."""
        if (stage, step) in self.written:
            return
        self.written.add((stage, step))
        for name, value in values.items():
            self.writer.add_scalar(f"{stage}/{name}", value, step, walltime=at)
        self.writer.flush()

    def close(self) -> None:
        """Ends the thread that writes."""
        self.writer.close()
