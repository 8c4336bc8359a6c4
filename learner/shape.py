"""What memory hangs on of a model: read off its config and its files' headers, and no weight."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoConfig

LARGE = 20_000_000
"""Weights from which an operation is long enough for torch's own threads, and tensors large enough
for pages of memory of their own."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder; `queries` and `keys` are the widths of all heads together."""

    parameters: int
    layers: int
    hidden: int
    inner: int
    queries: int
    keys: int
    vocabulary: int
    tied: bool

    @classmethod
    def read(cls, folder: Path) -> Shape:
        """Of a model folder."""
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        heads: int = config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // heads
        keys = getattr(config, "num_key_value_heads", None) or heads
        return cls(
            parameters=parameters(folder),
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            inner=getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
            queries=heads * width,
            keys=keys * width,
            vocabulary=config.vocab_size,
            tied=bool(config.tie_word_embeddings),
        )

    @property
    def large(self) -> bool:
        return self.parameters >= LARGE

    @property
    def head(self) -> int:
        """Numbers of the matrix that makes logits."""
        return self.vocabulary * self.hidden

    @property
    def trunk(self) -> int:
        """Numbers of what a reward model has of it."""
        return self.parameters if self.tied else self.parameters - self.head

    def adapter(self, rank: int) -> int:
        """Numbers of an adapter: in and out of each layer's seven linear ones, times the rank."""
        attention = 2 * (self.hidden + self.queries) + 2 * (self.hidden + self.keys)
        return self.layers * rank * (attention + 3 * (self.hidden + self.inner))


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
