"""Heads that differ where the rankings say little: an ensemble on one trunk, by its random starts.

1. Each head is held to where it started, a draw from the prior (anchored ensembling: Pearce,
   Leibfried and Brintrup 2020, 1810.05546; Osband et al. 2018, 1806.03335, add the draw instead).
   Where rankings pull, all heads go the same way; where none does, each stays where it was. On a
   random trunk and 120 rankings their deviation on tokens that no ranking held is that on others
   before training, and 1.2 to 1.5 times it after (three seeds): a hint, a tenth of a score's own.
2. Comparisons leave each head a level of its own, which says nothing of any answer: deviations are
   between scores less the head's mean on the reference's samples. A prompt's level stays in.
3. The trunk is shared, so they say nothing of what the trunk itself does not know: the price of
   many opinions for one pass.
4. Saved apart and one folder down: programs that read every safetensors file beside a config would
   take the heads for weights of the net. Those find the mean of the heads as `score`.

Axes: R replies, H heads, D hidden.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from learner.batching import Batch
from learner.features import reply_features_RD

FILE = Path("heads") / "heads.safetensors"


class Ensemble(nn.Module):
    """Linear heads without bias, where each of them started, and its level on the reference."""

    anchor_HD: Tensor
    level_H: Tensor

    def __init__(self, weight_HD: Tensor, level_H: Tensor) -> None:
        super().__init__()
        self.weight_HD = nn.Parameter(weight_HD)
        self.register_buffer("anchor_HD", weight_HD.detach().clone())
        self.register_buffer("level_H", level_H)

    @classmethod
    def start(cls, heads: int, width: int, generator: torch.Generator) -> Ensemble:
        """Heads of deviation 1/sqrt(d + 1), as a single one has (Stiennon et al. 2020)."""
        draws_HD = torch.empty(heads, width).normal_(0.0, (width + 1) ** -0.5, generator=generator)
        return cls(draws_HD, torch.zeros(heads))

    @classmethod
    def load(cls, folder: Path) -> Ensemble | None:
        """Read what `save` wrote; None where the folder holds a single head."""
        if not (folder / FILE).is_file():
            return None
        read = load_file(folder / FILE)
        return cls(read["weight"], read["level"])

    def save(self, folder: Path) -> None:
        """Write the heads; their starts served training only."""
        (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
        save_file({"weight": self.weight_HD.detach(), "level": self.level_H}, folder / FILE)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Each head's score (R, H) of the replies: half of the last token, half of the mean."""
        return reply_features_RD(hidden, batch) @ self.weight_HD.T

    def spread(self, hidden: Tensor, batch: Batch) -> Tensor:
        """The deviation (R,) between the heads' scores, each less its own level."""
        scores_RH: Tensor = self(hidden, batch)
        return (scores_RH - self.level_H).std(1)

    def pull(self) -> Tensor:
        """Mean over heads of ||w - w_0||^2, a scalar."""
        return (self.weight_HD - self.anchor_HD).square().sum(1).mean()

    @property
    def mean_1D(self) -> Tensor:
        """The mean head, which gives the mean of the scores."""
        return self.weight_HD.detach().mean(0, keepdim=True)
