"""Low-rank adapters over one base: several nets, each with weights of its own, on the same tensors.

1. A net's copy is a second tree of modules whose parameters and buffers are the first one's. It
   costs no memory, and no adapter is ever switched on or off: threads may run two copies at once.
2. An adapter (LoRA, Hu et al. 2021, 2106.09685) adds (x A^T) B^T alpha/rank to every linear layer
   of the blocks. B starts at 0, so a fresh one changes nothing. Its weights are float32 over any
   base.
3. The base is frozen by the first adapter over it: what is shared must not be trained.
4. A saved adapter is peft's folder, which peft and vLLM load over the base that it names.

It needs peft, and imports it when an adapter is made or read. It knows no versions.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from policy.source import UnsupportedModel

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""peft's names of the two files."""

_NAME = "default"
_PREFIX = "base_model.model."

Net = TypeVar("Net", bound=nn.Module)


class AdaptersMissing(RuntimeError):
    """The library of adapters is not installed; the text says how it is."""


def share(net: Net) -> Net:
    """A copy of the modules on the same tensors."""
    tensors = chain(net.parameters(), net.buffers())
    return copy.deepcopy(net, {id(tensor): tensor for tensor in tensors})


def attach(
    net: PreTrainedModel, *, rank: int, alpha: float, seed: int, base: str, head: str | None = None
) -> None:
    """A fresh adapter on every linear layer of the blocks, in place; all else is frozen.

    `base` is the base's name as it is to stand in the files; `head` names a module of the net's own
    that is trained and saved beside. Raises AdaptersMissing.
    """
    peft = _peft()
    config = peft.LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=_linear(net),
        task_type="SEQ_CLS" if head else "CAUSAL_LM",
        base_model_name_or_path=base,
        modules_to_save=[head] if head else None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _inject(net, config)


def save(net: PreTrainedModel, folder: Path) -> None:
    """Writes the adapter, and the head trained beside it, as peft names them."""
    config = copy.copy(_config(net))
    config.inference_mode = True
    config.save_pretrained(folder)
    own = {_saved_name(name): weight.detach().contiguous() for name, weight in own_weights(net)}
    save_file(own, folder / WEIGHTS, metadata={"format": "pt"})


def load(net: PreTrainedModel, folder: Path) -> None:
    """The adapter in the folder onto the net, in place; it can go on being trained. Raises
    AdaptersMissing, and UnsupportedModel where it is for a net of another shape."""
    config = _peft().LoraConfig.from_pretrained(str(folder))
    config.inference_mode = False
    _inject(net, config)
    saved = load_file(folder / WEIGHTS)
    for name, weight in own_weights(net):
        read = saved.pop(_saved_name(name), None)
        if read is None or read.shape != weight.shape:
            raise UnsupportedModel(str(folder), f"its adapter has no {name} for this base")
        with torch.no_grad():
            weight.copy_(read)
    if saved:
        raise UnsupportedModel(str(folder), f"its base has no place for {next(iter(saved))}")


def adapted(net: nn.Module) -> bool:
    """Whether the net has an adapter."""
    return hasattr(net, "peft_config")


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds an adapter."""
    return (folder / CONFIG).is_file()


def low_rank(module: Any) -> tuple[Tensor, Tensor] | None:
    """What a linear layer's adapter adds to x W^T, as A [rank, in] and B [out, rank], which holds
    the scale: (x A^T) B^T. None where there is no adapter."""
    if not hasattr(module, "lora_A"):
        return None
    down, up = module.lora_A[_NAME].weight.detach(), module.lora_B[_NAME].weight.detach()
    return down, up * module.scaling[_NAME]


def own_weights(net: PreTrainedModel) -> Iterator[tuple[str, nn.Parameter]]:
    """The adapter's weights and the head's, by name; none of the base's."""
    heads = tuple(f"{head}." for head in _config(net).modules_to_save or ())
    for name, weight in net.named_parameters():
        if ".lora_A." in name or ".lora_B." in name or name.startswith(heads):
            yield name, weight


def installed() -> bool:
    """Whether adapters can be made and read here."""
    return importlib.util.find_spec("peft") is not None


def _linear(net: PreTrainedModel) -> list[str]:
    """What the blocks call their linear layers; GPT-2's are of transformers' own class."""
    blocks: nn.Module = net.base_model
    kinds = (nn.Linear, Conv1D)
    return sorted({n.rpartition(".")[2] for n, m in blocks.named_modules() if isinstance(m, kinds)})


def _inject(net: PreTrainedModel, config: Any) -> None:
    """peft puts its layers in the place of the linear ones. The head stays the module it is."""
    heads, config.modules_to_save = config.modules_to_save, None
    _peft().inject_adapter_in_model(config, net, _NAME)
    _config(net).modules_to_save = heads
    for _, weight in own_weights(net):
        weight.data = weight.data.float()
        weight.requires_grad_(True)


def _config(net: nn.Module) -> Any:
    assert adapted(net), "the net has an adapter"
    configs: Any = net.peft_config
    return configs[_NAME]


def _saved_name(name: str) -> str:
    return _PREFIX + name.replace(f".{_NAME}.", ".")


def _peft() -> Any:
    if not installed():
        raise AdaptersMissing("Adapters need the library peft: pip install peft.")
    import peft

    return peft
