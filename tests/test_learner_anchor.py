"""The reference, fixed and moving."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from learner.anchor import Anchor
from policy.model import load
from tests.tiny_models import make_tiny


def weights(net: PreTrainedModel) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    folder: Path = make_tiny(tmp_path_factory.mktemp("tiny") / "policy", "llama", seed=0)
    return load(folder).net


@pytest.fixture
def policy(reference: PreTrainedModel) -> PreTrainedModel:
    """The reference, every weight greater by 1."""
    net = copy.deepcopy(reference)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
    return net


def test_a_moving_reference_keeps_its_share(
    reference: PreTrainedModel, policy: PreTrainedModel
) -> None:
    """At a decay of .75 it goes 1/4 of the way, then 1/4 of the rest: 7/16; v0 itself stays."""
    before, anchor = weights(reference).clone(), Anchor(reference, 1.0, 0.75)
    for _ in range(2):
        anchor.follow(policy)
    torch.testing.assert_close(weights(anchor.net), before + 7 / 16)
    assert torch.equal(weights(reference), before)


def test_a_fixed_reference_stays(reference: PreTrainedModel, policy: PreTrainedModel) -> None:
    """Without a decay it is the reference itself, whatever the policy does."""
    before, anchor = weights(reference).clone(), Anchor(reference, 1.0, None)
    anchor.follow(policy)
    assert anchor.net is reference
    assert torch.equal(weights(anchor.net), before)
