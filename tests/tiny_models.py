"""Tiny random models in Hugging Face folders, each with its own tokenizer and chat template.

`make_tiny(folder, shape)` writes one in well under a second. The weights are random; the shapes,
the files and the code that reads them are the real ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    SmolLM3Config,
    SmolLM3ForCausalLM,
)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|pad|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CORPUS = [
    "Hello! How are you today? I am fine, thank you, and you?",
    "What is the capital of France? The capital of France is Paris.",
    "user assistant system What is two plus three? It is five. Good morning, my name is Ada.",
    "The opposite of hot is cold. Monday comes before Tuesday. Red, green and blue are colours.",
]
SHAPES: dict[str, tuple[type[PreTrainedConfig], type[PreTrainedModel], dict[str, Any]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {"use_sliding_window": False}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"use_sliding_window": False, "head_dim": 16}),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": None}),
    "smollm3": (SmolLM3Config, SmolLM3ForCausalLM, {}),
    # Of another build: it is decoded by its own modules.
    "olmo2": (Olmo2Config, Olmo2ForCausalLM, {}),
}


def make_tokenizer(chat_template: str | None = CHAT_TEMPLATE) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of about 400 tokens; every string can be encoded."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|endoftext|>"
    )
    wrapped.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    wrapped.chat_template = chat_template
    return wrapped


def make_config(shape: str, **overrides: Any) -> PreTrainedConfig:
    """Two layers, four heads over two KV heads, width 64, context 256."""
    config, _, extra = SHAPES[shape]
    sizes = {
        "vocab_size": 400,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": 1,
        "tie_word_embeddings": True,
    }
    return config(**{**sizes, **extra, **overrides})


def make_tiny(
    folder: Path,
    shape: str = "llama",
    seed: int = 0,
    chat_template: str | None = CHAT_TEMPLATE,
    **overrides: Any,
) -> Path:
    """Writes a random model of this shape, its tokenizer and template; returns the folder.

    `overrides` go into the config (`max_position_embeddings=64`, `num_hidden_layers=1`, ...).
    """
    tokenizer = make_tokenizer(chat_template)
    config = make_config(shape, **{"vocab_size": len(tokenizer), **overrides})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = SHAPES[shape][1](config)
        for name, weight in net.named_parameters():
            # The library's 0.02 gives flat logits; these are peaked enough to tell tokens apart.
            if weight.dim() == 2:
                torch.nn.init.normal_(weight, std=0.12 if "embed" in name else 0.2)
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
