"""What a pass is reckoned to keep, against what autograd keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from learner.batching import Batch, Group, collate
from learner.checkpointing import make_again
from learner.forward import hidden_MD
from learner.passes import Pass, Tokens
from learner.settings import LearnerSettings
from learner.shape import Shape
from policy.cache import position_bytes
from policy.model import load
from tests.test_policy_adapters import adapted
from tests.tiny_models import make_tiny

WIDE: dict[str, Any] = {"hidden_size": 128, "intermediate_size": 320}


def kept(net: PreTrainedModel, batch: Batch) -> int:
    """Bytes that autograd keeps of the trunk's pass, its weights aside."""
    found: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        found[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    own = {weight.untyped_storage().data_ptr() for weight in net.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden_MD(net, batch)
    return sum(t.untyped_storage().nbytes() for place, t in found.items() if place not in own)


def of_two_layers(folder: Path, batch: Batch, lora: bool, again: bool) -> int:
    """What the last two of four layers keep."""
    sizes = []
    for layers in (2, 4):
        net = load(make_tiny(folder / f"{layers}", num_hidden_layers=layers, **WIDE)).net
        net = adapted(net) if lora else net
        if again:
            make_again(net)
        sizes.append(kept(net, batch))
    return sizes[1] - sizes[0]


@pytest.mark.parametrize("replies", [1, 4])
@pytest.mark.parametrize("lora", [False, True])
def test_a_layer_keeps_what_is_counted(replies: int, lora: bool, tmp_path: Path) -> None:
    """Within 1 %: what is left out is a number or two for each token and head."""
    batch = collate([Group(tuple(range(4, 24)), (tuple(range(30, 62)),) * replies)] * 4)
    row = batch.ids_BT.shape[1]
    tokens = Tokens(batch.ids_BT.numel(), row, shared=replies > 1)
    found = of_two_layers(tmp_path, batch, lora, again=False)
    settings = LearnerSettings.model_validate(
        {"weights": "lora" if lora else "full", "lora": {"rank": 4}}
    )
    counted = Pass(Shape.read(tmp_path / "4"), settings, False, prompt=20).layer(tokens)
    assert 2 * 4 * tokens.count * counted == pytest.approx(found, rel=0.01)


def test_made_again_a_layer_keeps_what_it_is_given(tmp_path: Path) -> None:
    """128 numbers for each token."""
    batch = collate([Group((4, 5, 6), ((7, 8, 9),))])
    assert of_two_layers(tmp_path, batch, lora=False, again=True) == 2 * 4 * 6 * 128


def test_the_cache_is_the_rows_positions(tmp_path: Path) -> None:
    """32 prompts' four replies of up to 106 positions each, as many bytes as an engine has."""
    folder = make_tiny(tmp_path)
    settings = LearnerSettings(device="cpu", threads=2)
    work = Pass(Shape.read(folder), settings, False, prompt=10)
    assert work.cache == 128 * 106 * position_bytes(load(folder).net)
