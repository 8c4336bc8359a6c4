"""Updates that must not serve, spoiled in the folder or in the weights, each with the check that is
to find it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from benchmarks.update_stand import Stand, Update
from policy.model import Model


def spoiled() -> Iterator[Update]:
    """Ten of them."""
    yield from _in_the_folder()
    yield from _in_the_weights()


def _in_the_folder() -> Iterator[Update]:
    for name, spoil in (
        ("a flipped bit", _flip_bit),
        ("a truncated file", _truncate),
        ("a missing file", _remove),
        ("another version's weights", _swap),
    ):
        yield Update(name, "integrity", partial(_damaged, spoil))
    yield Update("another tokenizer", "language", partial(_saved_with, _swap_tokens))
    yield Update("another chat template", "language", partial(_saved_with, _change_template))


def _in_the_weights() -> Iterator[Update]:
    for name, check, change in (
        ("weights that are no numbers", "finite", _not_a_number),
        ("infinity in one tensor", "finite", _infinite),
        ("noise on the weights", "regression", _noise),
        ("entropy doubled", "entropy", _flatten),
    ):
        yield Update(name, check, partial(_edited, change))


# In the folder.


def _damaged(spoil: Callable[[Stand, Path], object], stand: Stand) -> str:
    id = stand.publish(stand.policy())
    spoil(stand, stand.versions.folder(id))
    return id


def _flip_bit(stand: Stand, folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def _truncate(stand: Stand, folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def _remove(stand: Stand, folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _swap(stand: Stand, folder: Path) -> None:
    other = stand.versions.folder(stand.publish(_noise(stand.policy())))
    shutil.copy(other / "model.safetensors", folder / "model.safetensors")


def _saved_with(change: Callable[[Path], object], stand: Stand) -> str:
    """Published whole, but with a file that is another's."""
    model = stand.policy()

    def save(folder: Path) -> None:
        model.net.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
        change(folder)

    return stand.publish(save)


def _swap_tokens(folder: Path) -> None:
    """Two letters change places."""
    told = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = told["model"]["vocab"]
    vocabulary["a"], vocabulary["e"] = vocabulary["e"], vocabulary["a"]
    (folder / "tokenizer.json").write_text(json.dumps(told), encoding="utf-8")


def _change_template(folder: Path) -> None:
    """The answer is asked for as if a person gave it."""
    for path in (folder / "chat_template.jinja", folder / "tokenizer_config.json"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("{{ '<|assistant|>'", "{{ '<|user|>'"), encoding="utf-8")


# In the weights.


def _edited(change: Callable[[Model], object], stand: Stand) -> str:
    model = stand.policy()
    change(model)
    return stand.publish(model)


@torch.no_grad()
def _not_a_number(model: Model) -> None:
    for weight in model.net.parameters():
        weight.fill_(torch.nan)


@torch.no_grad()
def _infinite(model: Model) -> None:
    [*model.net.parameters()][3].view(-1)[0] = torch.inf


@torch.no_grad()
def _noise(model: Model) -> Model:
    """A third of each tensor's own deviation."""
    draws = torch.Generator().manual_seed(0)
    for weight in model.net.parameters():
        if weight.dim() == 2:
            noise = torch.randn(weight.shape, generator=draws)
            weight.add_(noise.to(weight.device), alpha=weight.std().item() / 3)
    return model


@torch.no_grad()
def _flatten(model: Model) -> None:
    """Logits of four tenths: as if drawn at a temperature of 2.5."""
    model.net.get_parameter("model.norm.weight").mul_(0.4)
