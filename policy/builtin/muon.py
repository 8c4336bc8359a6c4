"""Muon in float32: momentum whose update is brought near an orthogonal matrix.

torch.optim.Muon computes in bfloat16 whatever the weights are, which processors without bfloat16
arithmetic do two hundred times slower than float32.

Axes: N matrices of one shape, R rows, C columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch

_QUINTIC = (3.4445, -4.7750, 2.0315)  # steepest at zero (Jordan et al. 2024)
_TINY = 1e-7


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised (Jordan et al. 2024), with decoupled weight decay.

    Takes matrices only. A step is `lr` times the square root of rows over columns, at least 1.
    """

    def __init__(
        self,
        matrices: Iterable[torch.Tensor],
        lr: float,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        steps: int = 5,
    ) -> None:
        super().__init__(matrices, {"lr": lr})
        self.momentum, self.weight_decay, self.steps = momentum, weight_decay, steps

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step for all matrices; those of one shape are orthogonalised together."""
        for group in self.param_groups:
            alike: defaultdict[torch.Size, list[torch.Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                alike[matrix.shape].append(matrix)
            for (rows, columns), matrices in alike.items():
                updates_NRC = torch.stack([self._direction(matrix) for matrix in matrices])
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5
                orthogonal = orthogonalised(updates_NRC, self.steps).unbind()
                for matrix, update in zip(matrices, orthogonal, strict=True):
                    matrix.mul_(1 - group["lr"] * self.weight_decay).sub_(update, alpha=rate)

    def _direction(self, matrix: torch.Tensor) -> torch.Tensor:
        assert matrix.grad is not None, "backward comes before the step"
        mean = self.state[matrix].setdefault("mean", torch.zeros_like(matrix))
        mean.lerp_(matrix.grad, 1 - self.momentum)
        return matrix.grad.lerp(mean, self.momentum)


def orthogonalised(matrices_NRC: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Each matrix with its singular values brought near one, by Newton-Schulz iteration."""
    wide = matrices_NRC.shape[1] <= matrices_NRC.shape[2]
    x = matrices_NRC if wide else matrices_NRC.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_TINY)
    a, b, c = _QUINTIC
    for _ in range(steps):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    found: torch.Tensor = x if wide else x.mT
    return found
