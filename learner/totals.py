"""Metrics of a step's minibatches, and of a minibatch's parts, as one set of figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

LARGEST = ("ratio_gap", "ratio_max")
"""Metrics of which the largest is told, not the mean."""


def together(
    parts: Sequence[Mapping[str, float]], weights: Sequence[float] | None = None
) -> dict[str, float]:
    """The means of the metrics of a minibatch's parts, by `weights` where they differ; of `LARGEST`
    the largest.
    """
    shares = (
        [weight / sum(weights) for weight in weights] if weights else [1 / len(parts)] * len(parts)
    )
    return {
        name: max(p[name] for p in parts)
        if name in LARGEST
        else sum(share * p[name] for share, p in zip(shares, parts, strict=True))
        for name in parts[0]
    }


class Totals:
    """Means of metrics over a step's minibatches; of `ratio_max` the largest, of `ratio_gap` the
    first. A minibatch with a figure that is not finite was not learned from: it is counted, and
    its figures are left out.
    """

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0
        self.skipped = 0
        self.first_gap = 0.0
        self.ratio_max = 0.0

    def add(self, metrics: Mapping[str, float]) -> None:
        if not all(map(math.isfinite, metrics.values())):
            self.skipped += 1
            return
        self.first_gap = self.first_gap if self.count else metrics["ratio_gap"]
        self.ratio_max = max(self.ratio_max, metrics["ratio_max"])
        self.count += 1
        for name, value in metrics.items():
            if name not in LARGEST:
                self.sums[name] = self.sums.get(name, 0.0) + value

    def mean(self, name: str) -> float:
        """0 where nothing was counted."""
        return self.sums.get(name, 0.0) / max(1, self.count)

    def means(self) -> dict[str, float]:
        """All metrics of the step; where no minibatch counted, only how many were skipped."""
        skipped = {"skipped": float(self.skipped)}
        if not self.count:
            return skipped
        largest = {"ratio_max": self.ratio_max, "first_ratio_gap": self.first_gap}
        return {name: self.mean(name) for name in self.sums} | largest | skipped
