"""Can this box train this model? Read off file headers, before any weight is loaded."""

from __future__ import annotations

import json
from pathlib import Path

from policy.memory import available_bytes

BYTES_PER_PARAMETER = 4 * 4 + 4 + 4 + 4
"""Master weights, gradient and two AdamW moments of what trains; reference; live; reward model."""


def missing(folder: Path) -> str | None:
    """What this box lacks to train the model in `folder`, as a sentence; None if nothing."""
    needed, available = parameters(folder) * BYTES_PER_PARAMETER, available_bytes()
    if needed <= available:
        return None
    return (
        f"Training needs about {needed / 2**30:.1f} GiB of memory and {available / 2**30:.1f} GiB "
        "are free: the model serves and rankings are recorded, but no round can run here."
    )


def parameters(folder: Path) -> int:
    """Number of weights in a model folder's safetensors files."""
    return sum(_count(file) for file in sorted(folder.glob("*.safetensors")))


def _count(file: Path) -> int:
    """From the header: an 8-byte length, then JSON of name to {dtype, shape, data_offsets}."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            size = 1
            for axis in tensor["shape"]:
                size *= axis
            total += size
    return total
