"""The optimiser of all stages: what it remembers."""

from __future__ import annotations

import copy

import torch
from torch import nn

from learner.optimise import Optimiser
from learner.state import State


def made(model: nn.Module) -> Optimiser:
    return Optimiser(model, 0.01, steps=40, gradient_clip=1.0)


def step(model: nn.Module, optimiser: Optimiser) -> None:
    optimiser.step(model(torch.ones(2, 3)).square().sum())


def test_a_restored_optimiser_goes_on_bit_for_bit() -> None:
    """After five of forty steps, past its warm-up of four: moments, rate and count are there."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimiser = made(model)
    for _ in range(5):
        step(model, optimiser)
    other = copy.deepcopy(model)
    restored = made(other)
    restored.restore(optimiser.state())
    for _ in range(3):
        step(model, optimiser)
        step(other, restored)
    assert torch.equal(model.weight, other.weight)
    assert optimiser.adam.param_groups[0]["lr"] == restored.adam.param_groups[0]["lr"]


def test_an_optimiser_that_took_no_step_has_no_moments() -> None:
    """Its state restores to the first step's rate, a quarter of 0.01 in a warm-up of four."""
    optimiser, other = made(nn.Linear(3, 2)), made(nn.Linear(3, 2))
    assert optimiser.state() == State({}, {"updates": 0, "skipped": 0})
    other.restore(optimiser.state())
    assert other.adam.param_groups[0]["lr"] == 0.0025
