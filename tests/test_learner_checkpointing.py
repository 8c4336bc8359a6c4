"""Activations made again: the same numbers, fewer kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from learner.batching import Group, collate
from learner.checkpointing import make_again
from learner.sft import supervised_loss
from learner.weights import trained
from policy.engine import Engine, Request, generate
from policy.model import load
from policy.params import SamplingParams
from tests.test_policy_adapters import adapted
from tests.tiny_models import SHAPES, make_tiny

BATCH = collate([Group((4, 5, 6), ((7, 8, 9), (10, 11))), Group((12,), ((13, 14),))])


def kept_and_gradients(net: PreTrainedModel) -> tuple[int, list[Tensor]]:
    """Bytes that a pass keeps for the gradient, each tensor once, and the gradients."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    weights = [weight for weight in net.parameters() if weight.requires_grad]
    own = {weight.untyped_storage().data_ptr() for weight in net.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = supervised_loss(net, BATCH)
    bytes = sum(size for place, size in kept.items() if place not in own)
    return bytes, list(torch.autograd.grad(loss, weights))


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_gradients_are_the_same_bit_for_bit(shape: str, lora: bool, tmp_path: Path) -> None:
    """Of all weights and of an adapter's, with and without."""
    net = load(make_tiny(tmp_path, shape, attention_dropout=0.5)).net
    net = adapted(net) if lora else net
    _, expected = kept_and_gradients(net)
    make_again(net)
    _, found = kept_and_gradients(net)
    assert len(found) == len(trained(net))
    for mine, its in zip(found, expected, strict=True):
        assert torch.equal(mine, its)


def test_fewer_activations_are_kept(tmp_path: Path) -> None:
    """Of eight layers less than a third of what they keep, the head's part included."""
    net = load(make_tiny(tmp_path, num_hidden_layers=8)).net
    before, _ = kept_and_gradients(net)
    make_again(net)
    after, _ = kept_and_gradients(net)
    assert after < before / 3


def test_answers_are_drawn_as_before(tmp_path: Path) -> None:
    """The engine's passes need no gradient, and keep their cache."""
    net = load(make_tiny(tmp_path, "olmo2")).net  # decoded by its own modules
    request = Request("a", (4, 5, 6), SamplingParams(max_tokens=12, seed=1))
    before = generate(Engine(net, rows=2), [request])
    make_again(net)
    assert generate(Engine(net, rows=2), [request]) == before
