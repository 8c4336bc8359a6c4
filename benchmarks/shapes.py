"""Random models of real sizes, to measure speed on: `python -m benchmarks.shapes FOLDER`.

Of SmolLM2-135M's shape, of a Qwen2.5-0.5B's width and depth, and of a small one's. The tokens are
made-up words, so that every one that is drawn has a text.
"""

from __future__ import annotations

import random
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer
from transformers import LlamaConfig, LlamaForCausalLM

from policy.builtin.tokenizer import train_tokenizer


class Shape(StrEnum):
    """By its number of weights."""

    SMALL = "5m"
    MEDIUM = "135m"
    LARGE = "500m"


# vocabulary, width, width between, layers, heads, heads of keys and values
SIZES = {
    Shape.SMALL: (4096, 256, 640, 6, 4, 4),
    Shape.MEDIUM: (49_152, 576, 1536, 30, 9, 3),
    Shape.LARGE: (151_936, 896, 4864, 24, 14, 2),
}
MOST_WORDS = 49_152
"""Tokens of the tokenizer: a vocabulary beyond is weights without a text, as most have some."""


def main(
    folder: Annotated[Path, typer.Argument(help="Where the model goes.")],
    shape: Annotated[Shape, typer.Option(help="Its size.")] = Shape.MEDIUM,
) -> None:
    """Write weights, tokenizer and chat template."""
    write(folder, shape)
    typer.echo(f"{folder}: {shape.value}")


def write(folder: Path, shape: Shape, dtype: str = "bfloat16") -> Path:
    """A folder that `from_pretrained` loads; weights are random by seed 0."""
    vocabulary, width, between, layers, heads, kv_heads = SIZES[shape]
    tokenizer = train_tokenizer(_words(min(vocabulary, MOST_WORDS)), min(vocabulary, MOST_WORDS))
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=between,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype=dtype,
    )
    torch.manual_seed(0)
    net = LlamaForCausalLM(config).to(getattr(torch, dtype))
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _words(vocabulary: int) -> list[str]:
    rng = random.Random(0)
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
    return [" " + "".join(rng.choices(syllables, k=3)) for _ in range(2 * vocabulary)]


if __name__ == "__main__":
    typer.run(main)
