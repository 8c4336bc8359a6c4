"""A random model of a real size, to measure speed on: `python -m benchmarks.shapes FOLDER`.

The shape is SmolLM2-135M's: 30 layers, 9 heads over 3, a vocabulary of 49,152. The tokens are
made-up words, so that every one that is drawn has a text.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated

import torch
import typer
from transformers import LlamaConfig, LlamaForCausalLM

from policy.builtin.tokenizer import train_tokenizer

VOCABULARY = 49_152


def main(folder: Annotated[Path, typer.Argument(help="Where the model goes.")]) -> None:
    """Write weights in bfloat16, tokenizer and chat template."""
    rng = random.Random(0)
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
    words = ["".join(rng.choices(syllables, k=3)) for _ in range(2 * VOCABULARY)]
    tokenizer = train_tokenizer((f" {word}" for word in words), VOCABULARY)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="bfloat16",
    )
    torch.manual_seed(0)
    net = LlamaForCausalLM(config).bfloat16()
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    typer.echo(f"{folder}: {len(tokenizer)} tokens")


if __name__ == "__main__":
    typer.run(main)
