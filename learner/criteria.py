"""What replies are like by several criteria: a linear head for each, on the reward model's trunk.

1. A head learns from ratings, by their squared error: one regression for each attribute on one
   trunk, as in HelpSteer2 (Wang et al. 2024, 2406.08673). The trunk learns with it.
2. People use a scale differently, so a rating is taken less its person's mean, as assessors' scores
   are in machine translation (Graham et al. 2013, Continuous Measurement Scales in Human Evaluation
   of Machine Translation). They divide by each person's deviation too; we by everybody's, and draw
   a person's mean to everybody's by four ratings' worth, because our people give few.
3. Differences between one person's ratings of one prompt's answers would need no calibration at
   all, but an answer that was rated alone would teach nothing.
4. A head's scores are normalised on the reference's replies, as the ranking's are. But one that
   foretells next to nothing, from a few ratings, is not blown up to a whole deviation of noise.

5. A ranking by a criterion teaches its head as one of the whole teaches the ranking's: by the
   log-odds of each pair (Ouyang et al. 2022, 2203.02155), so that who ranks needs no scale. Beside
   ratings a gap of one deviation then means odds of e to 1; alone, the head's scale is the odds'.

Axes: R replies, C criteria, D hidden, K answers to one prompt.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from learner.batching import Batch
from learner.features import reply_features_RD
from learner.losses import ranking_loss
from learner.ranked_group import RankedGroup

FILE = Path("criteria") / "criteria.safetensors"

LEAST_DEVIATION = 0.25
"""Of what a head foretells, in deviations of ratings: with less it knows and says little."""

DRAWN = 4.0
"""Ratings' worth by which a person's mean is drawn to everybody's."""


@dataclass(frozen=True)
class Scale:
    """How people use the scale of one criterion: each person's mean, everybody's, and the deviation
    of a rating from its person's mean.
    """

    means: Mapping[str, float]
    mean: float
    deviation: float

    @classmethod
    def of(cls, said: Sequence[tuple[str, float]]) -> Scale:
        """From (person, rating) pairs, at least one."""
        mean = statistics.fmean(value for _, value in said)
        by_person: dict[str, list[float]] = defaultdict(list)
        for person, value in said:
            by_person[person].append(value)
        means = {
            person: (sum(values) + DRAWN * mean) / (len(values) + DRAWN)
            for person, values in by_person.items()
        }
        off = [(value - means[person]) ** 2 for person, value in said]
        return cls(means, mean, statistics.fmean(off) ** 0.5)

    def standard(self, person: str, value: float) -> float:
        """The rating in deviations from its person's mean; 0 where all ratings are alike."""
        gap = value - self.means.get(person, self.mean)
        return gap / self.deviation if self.deviation else 0.0


class Criteria(nn.Module):
    """A head for each criterion, and what a deviation of its score counts in the reward."""

    mean_C: Tensor
    std_C: Tensor

    def __init__(self, weights: Mapping[str, float], width: int) -> None:
        super().__init__()
        self.weights = dict(weights)
        self.head = nn.Linear(width, len(weights))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("mean_C", torch.zeros(len(weights)))
        self.register_buffer("std_C", torch.ones(len(weights)))

    @classmethod
    def load(cls, folder: Path) -> Criteria | None:
        """Read what `save` wrote; None where the folder holds none."""
        if not (folder / FILE).is_file():
            return None
        with safe_open(folder / FILE, "pt") as file:
            weights = json.loads(file.metadata()["weights"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 no mapping
        criteria = cls(weights, state["head.weight"].shape[1])
        criteria.load_state_dict(state)
        return criteria

    def save(self, folder: Path) -> None:
        """Write the heads one folder down, where no other program takes them for the net's."""
        (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
        state = {name: value.cpu() for name, value in self.state_dict().items()}
        save_file(state, folder / FILE, {"weights": json.dumps(self.weights)})

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Each criterion's standardised rating (R, C) of the replies, as the heads foretell it."""
        foretold_RC: Tensor = self.head(reply_features_RD(hidden, batch))
        return foretold_RC

    def scores(self, hidden: Tensor, batch: Batch) -> Tensor:
        """The same, normalised on the reference's replies."""
        foretold_RC: Tensor = self(hidden, batch)
        return (foretold_RC - self.mean_C) / self.std_C

    def normalise_on(self, foretold_RC: Tensor) -> None:
        """Shift and scale so that the reference's replies, of which this is foretold, score mean 0
        and deviation 1, or less where there is next to none.
        """
        self.mean_C.copy_(foretold_RC.mean(0))
        self.std_C.copy_(foretold_RC.std(0).clamp(min=LEAST_DEVIATION))


def rating_loss(foretold_RC: Tensor, given_RC: Tensor) -> Tensor:
    """Mean squared error over what was given; NaN where nothing was. 0 where nothing was at all."""
    told_RC = ~given_RC.isnan()
    off_RC = torch.where(told_RC, foretold_RC - given_RC, 0.0)
    return off_RC.square().sum() / told_RC.sum().clamp(min=1)


def order_loss(
    names: Sequence[str], foretold_RC: Tensor, rankings: Sequence[RankedGroup]
) -> Tensor:
    """Mean over the rankings by a criterion of each one's loss; 0 where there is none."""
    parts = torch.split(foretold_RC, [len(r.group.replies) for r in rankings])
    losses = [
        ranking.weight * ranking_loss(part_KC[:, names.index(name)], ranks)
        for ranking, part_KC in zip(rankings, parts, strict=True)
        for name, ranks in ranking.orders.items()
        if name in names
    ]
    return torch.stack(losses).mean() if losses else foretold_RC.new_zeros(())


def ordered_right(
    names: Sequence[str], exam: Sequence[tuple[RankedGroup, Tensor]]
) -> dict[str, dict[str, float | None]]:
    """Of each criterion that anything was ranked by, the share of untied pairs that what is
    foretold (K, C) of the answers orders as people did, equal ones half, and how many there are.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for ranking, foretold_KC in exam:
        for name, ranks in ranking.orders.items():
            column = foretold_KC[:, names.index(name)].tolist()
            for i, j in permutations(range(len(ranks)), 2):
                if ranks[i] < ranks[j]:
                    gap = column[i] - column[j]
                    found[name].append((gap > 0) + 0.5 * (gap == 0))
    return {
        name: {"accuracy": statistics.fmean(right), "pairs": float(len(right))}
        for name, right in found.items()
    }


def correlations(
    names: Sequence[str], foretold_RC: Tensor, given_RC: Tensor
) -> dict[str, dict[str, float | None]]:
    """Of each criterion, Pearson's correlation between what was foretold and what was given, None
    where either has no spread, and over how many ratings.
    """
    found: dict[str, dict[str, float | None]] = {}
    for c, name in enumerate(names):
        told_R = ~given_RC[:, c].isnan()
        pairs = [column[told_R, c].tolist() for column in (foretold_RC, given_RC)]
        spread = all(len(set(values)) > 1 for values in pairs)
        value = statistics.correlation(*pairs) if spread else None
        found[name] = {"correlation": value, "ratings": float(told_R.sum().item())}
    return found
