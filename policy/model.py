"""Loading a causal language model with its tokenizer and chat template.

1. Weights come from safetensors only, no code comes from the model's folder, dropout is 0.
2. Only full-attention decoders are taken, since the KV slots keep every position of every layer.
   The config tells most others apart; a short answer through the slots, scored against a plain
   forward pass, proves the rest.

It knows no versions and serves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from policy import adapters
from policy.chat import Chat, NoChatTemplate
from policy.engine import Engine, Request, generate
from policy.params import SamplingParams
from policy.source import UnsupportedModel, load_chat

# A wrong mask or cache moves log-probabilities by whole units; rounding by at most this much.
_ROUNDING = {torch.float32: 1e-3, torch.float64: 1e-6}


@dataclass(frozen=True)
class Model:
    """A loaded model; `context` is the longest prompt and answer together, in tokens."""

    net: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    chat: Chat
    name: str
    folder: Path
    context: int


def load(
    folder: Path,
    *,
    name: str | None = None,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
    frozen: bool = False,
) -> Model:
    """Loads a folder in eval mode; float32 on a CPU and bfloat16 elsewhere unless `dtype` says
    otherwise. `name` is what errors call it. `frozen`: it needs no gradient, and lies as decoding
    likes it best. Raises UnsupportedModel."""
    name = name or str(folder)
    config = supported(folder, name)
    net = _net(folder, name, config, dtype or _default_dtype(device))
    net.to(torch.device(device))  # type: ignore[arg-type]
    net.requires_grad_(not frozen)
    try:
        chat = load_chat(folder)
    except NoChatTemplate as error:
        raise UnsupportedModel(name, str(error).rstrip(".")) from error
    tokenizer = chat.tokenizer
    vocabulary = cast(torch.nn.Embedding, net.get_input_embeddings()).num_embeddings
    if len(tokenizer) > vocabulary:
        raise UnsupportedModel(name, f"{len(tokenizer)} tokens but {vocabulary} embeddings")
    if not _agrees(net, vocabulary):
        raise UnsupportedModel(name, "its attention does not work on a plain KV cache")
    return Model(net, tokenizer, chat, name, folder, int(config.max_position_embeddings))


def load_adapter(folder: Path, base: Model, *, name: str | None = None) -> Model:
    """An adapter's folder over a loaded base, whose tensors and tokenizer it shares. Raises
    UnsupportedModel."""
    name = name or str(folder)
    net = adapters.share(base.net)
    try:
        adapters.load(net, folder)
    except adapters.AdaptersMissing as error:
        raise UnsupportedModel(name, str(error).rstrip(".")) from error
    if not _agrees(net, cast(torch.nn.Embedding, net.get_input_embeddings()).num_embeddings):
        raise UnsupportedModel(name, "its adapter does not work on a plain KV cache")
    return replace(base, net=net, name=name, folder=folder)


def supported(folder: Path, name: str) -> PreTrainedConfig:
    """The config of a folder, as far as it tells of a model that can be served; no weight is read.
    Raises UnsupportedModel."""
    config = _config(folder, name)
    for reason in _refusals(config):
        raise UnsupportedModel(name, reason)
    return config


def _config(folder: Path, name: str) -> PreTrainedConfig:
    """The folder's config with every dropout at 0."""
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (ValueError, OSError) as error:  # an unknown type, code of its own, no config at all
        raise UnsupportedModel(name, f"its config cannot be read: {error}") from error
    for key, value in config.to_dict().items():
        if ("dropout" in key or key.endswith("_pdrop")) and isinstance(value, float):
            setattr(config, key, 0.0)
    return config


def _refusals(config: PreTrainedConfig) -> Iterator[str]:
    """Why a model of this config cannot be served, most telling reason first."""
    kind = config.model_type
    if config.is_encoder_decoder:
        yield f"{kind} is an encoder-decoder"
    net: type[PreTrainedModel] | None = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)  # type: ignore[assignment]
    if net is None:
        yield f"{kind} is no causal language model"
        return
    if net._is_stateful:
        yield f"{kind} keeps a recurrent state (state space or linear attention)"
    odd = {*(getattr(config, "layer_types", None) or ())} - {"full_attention"}
    if odd:
        yield f"{kind} has layers of other kinds than full attention ({', '.join(sorted(odd))})"
    context = getattr(config, "max_position_embeddings", None)
    if context is None:
        yield f"{kind} names no context length (max_position_embeddings)"
    window = getattr(config, "sliding_window", None)
    if window is not None and context is not None and window < context:
        yield f"{kind} attends over a sliding window of {window} tokens"
    if not net._supports_sdpa:
        yield f"{kind} has no sdpa attention"
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type")
    if rope in ("dynamic", "longrope"):
        yield f"{kind} has {rope} rotary positions, which would make one row hang on the others"


def _net(folder: Path, name: str, config: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    if not any(folder.glob("*.safetensors")):
        raise UnsupportedModel(name, "it has no safetensors weights")
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        config=config,
        dtype=dtype,
        use_safetensors=True,
        attn_implementation="sdpa",
        local_files_only=True,
        output_loading_info=True,
    )
    net, loading = cast("tuple[PreTrainedModel, dict[str, Any]]", loaded)
    # transformers fills gaps with random weights and a warning.
    gaps = [*loading["missing_keys"], *loading["mismatched_keys"]]
    if gaps:
        raise UnsupportedModel(name, f"its files lack {len(gaps)} weights, {gaps[0]} among them")
    net.eval()  # type: ignore[no-untyped-call]
    own(net)
    return net


def own(net: PreTrainedModel) -> None:
    """Weights in memory of their own. Read in a file's own precision they are the file's pages, all
    of which stay as long as one of them does, beside what is laid out anew."""
    for weight in net.parameters():
        weight.data = weight.data.clone()


def _default_dtype(device: str) -> torch.dtype:
    return torch.float32 if device == "cpu" else torch.bfloat16


@torch.inference_mode()
def _agrees(net: PreTrainedModel, vocabulary: int) -> bool:
    """Whether two short answers of unlike length, run side by side through the engine, have the
    log-probabilities of a plain forward pass."""
    greedy = SamplingParams(temperature=0.0, max_tokens=3)
    prompts = [tuple(i % vocabulary for i in range(1, length)) for length in (4, 9)]
    engine = Engine(net, rows=2, context=16)
    answers = generate(engine, [Request(str(i), p, greedy) for i, p in enumerate(prompts)])
    for [answer] in answers.values():
        ids_1T = torch.tensor([answer.prompt + answer.tokens], device=net.device)
        logps_TV = net(input_ids=ids_1T, use_cache=False).logits[0].float().log_softmax(-1)
        expected_T = logps_TV[-len(answer.tokens) - 1 : -1].cpu()
        expected_T = expected_T.gather(-1, torch.tensor(answer.tokens)[:, None])[:, 0]
        error = (expected_T - torch.tensor(answer.raw_logps)).abs().max()
        if not error <= _ROUNDING.get(net.dtype, 0.5):
            return False
    return True
