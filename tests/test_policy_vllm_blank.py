"""The adapter that changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from policy.vllm.blank import NoLayer, write
from tests.tiny_models import make_tiny

IDS = torch.tensor([[1, 5, 9, 2]])


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of one library to the other
def test_the_model_says_the_same_with_it(tmp_path: Path) -> None:
    """Bit for bit, by the library whose format it is in; written again it stays as it is."""
    model = make_tiny(tmp_path / "model")
    for _ in range(2):
        write(model, tmp_path / "blanks" / "one")
    assert [path.name for path in (tmp_path / "blanks").iterdir()] == ["one"]
    net = AutoModelForCausalLM.from_pretrained(model)
    with torch.inference_mode():
        alone = net(IDS).logits
        peft = PeftModel.from_pretrained(net, tmp_path / "blanks" / "one")
        assert sum("lora_B" in name for name, _ in peft.named_parameters()) == 1
        assert torch.equal(peft(IDS).logits, alone)


def test_a_model_without_such_a_layer_is_told(tmp_path: Path) -> None:
    """With the names that were looked for."""
    with pytest.raises(NoLayer, match="o_proj"):
        write(tmp_path, tmp_path / "one")
