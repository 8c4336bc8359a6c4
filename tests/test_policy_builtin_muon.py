"""Muon: singular values are brought near one, and a step goes where it should."""

from __future__ import annotations

import pytest
import torch

from policy.builtin.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(2, 24, 24), (3, 32, 16), (3, 16, 32)])
def test_singular_values_come_near_one(shape: tuple[int, int, int]) -> None:
    """Whatever they were, and without turning the singular vectors."""
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonalised(matrices)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.1
    assert values.max() < 1.4
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    turned = u.mT @ found @ vh.mT
    assert (turned - torch.diag_embed(turned.diagonal(dim1=1, dim2=2))).abs().max() < 1e-3


def test_a_step_is_torchs_step() -> None:
    """The same three steps as torch.optim.Muon's, which rounds to bfloat16."""
    torch.manual_seed(0)
    start, gradients = torch.randn(24, 48), torch.randn(3, 24, 48)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizers = (
        Muon([ours], 0.02, weight_decay=0.1),
        torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1, momentum=0.95),
    )
    for gradient in gradients:
        for matrix, optimizer in zip((ours, theirs), optimizers, strict=True):
            matrix.grad = gradient.clone()
            optimizer.step()
    assert (ours - start).norm() > 0.05
    assert (ours - theirs).norm() / (ours - start).norm() < 0.02
