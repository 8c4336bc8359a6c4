"""An adapter that changes nothing: by its name the base itself is asked for.

vLLM 0.32's adapters on a CPU take a row without one for a row of the last one in memory (a place of
-1 counts from the end: vllm-project/vllm#48421), so that the base beside adapters answers as one of
them. A row that has an adapter is computed right, whatever it is.
"""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

LAYERS = ("o_proj", "down_proj", "out_proj", "dense", "fc2")
"""Projections back into the residual stream, by their usual names: vLLM joins none of them with
others."""
RANK = 1
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


class NoLayer(ValueError):
    """The model has no layer that such an adapter could be on."""


def write(model: Path, folder: Path) -> None:
    """Such an adapter over the model in a folder, as `folder`; again is harmless. Reads no weights.
    Raises NoLayer.
    """
    if folder.exists():
        return
    layer, (rows, columns) = _layer(model)
    folder.parent.mkdir(parents=True, exist_ok=True)
    written = Path(tempfile.mkdtemp(dir=folder.parent))
    written.chmod(0o755)  # the engines may be somebody else's
    name = f"base_model.model.{layer}"
    shapes = {f"{name}.lora_A.weight": (RANK, columns), f"{name}.lora_B.weight": (rows, RANK)}
    (written / WEIGHTS).write_bytes(_zeros(shapes))
    config = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": RANK,
        "target_modules": [layer],
        "base_model_name_or_path": str(model),
    }
    (written / CONFIG).write_text(json.dumps(config))
    try:
        written.rename(folder)
    except OSError:  # another server of this data folder was first
        shutil.rmtree(written)


def _layer(model: Path) -> tuple[str, tuple[int, int]]:
    """The first layer of such a name, and its weight's shape."""
    for name, shape in _tensors(model):
        layer = name.removesuffix(".weight")
        if layer != name and layer.rpartition(".")[2] in LAYERS and len(shape) == 2:
            return layer, (shape[0], shape[1])
    raise NoLayer(f"{model} has no layer named {', '.join(LAYERS)}")


def _tensors(model: Path) -> Iterator[tuple[str, list[int]]]:
    """Names and shapes, by the files' headers alone."""
    for path in sorted(model.glob("*.safetensors")):
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size))
        yield from ((name, one["shape"]) for name, one in header.items() if name != "__metadata__")


def _zeros(shapes: dict[str, tuple[int, int]]) -> bytes:
    """A safetensors file of float32 zeros."""
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * shape[0] * shape[1]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(end)
