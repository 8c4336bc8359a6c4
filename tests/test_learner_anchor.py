"""The reference, fixed and moving."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from learner.anchor import Anchor
from learner.batching import Group, collate
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


@pytest.mark.parametrize(("again", "passes"), [(True, 2), (False, 4)])
def test_a_second_epoch_finds_the_states_of_the_first(
    reference: PreTrainedModel, policy: PreTrainedModel, again: bool, passes: int
) -> None:
    """Two batches, then the same replies batched otherwise: two passes and not four; they say the
    same of each token, and a step's end forgets them.
    """
    groups = [Group((5, 6), ((7, 8), (9,))), Group((5,), ((8, 7, 6),)), Group((4, 5), ((6,),))]
    anchor, seen = Anchor(reference, 1.0, None, again), []
    with torch.no_grad():
        plain = Anchor(reference, 1.0, None).distributions(collate(groups), groups).logps_NV()
    hook = reference.base_model.register_forward_hook(lambda *_: seen.append(1))
    for part in (groups[:2], groups[2:]):
        anchor.distributions(collate(part), part)
    later = [groups[2], groups[0]], [groups[1]]
    found = [anchor.distributions(collate(part), part).logps_NV() for part in later]
    hook.remove()
    assert len(seen) == passes
    expected = torch.cat([plain[6:], plain[:3], plain[3:6]])  # 3, 3 and 1 reply tokens
    torch.testing.assert_close(torch.cat(found), expected)
    anchor.follow(policy)
    assert not anchor.kept
