"""Which of the decoders takes a model's passes: the quickest that can."""

from __future__ import annotations

from transformers import PreTrainedModel

from policy import kernels
from policy.cache import SlotCache
from policy.compiled_decoder import CompiledDecoder
from policy.decoder import Decoder, ModuleDecoder
from policy.lean_decoder import LeanDecoder

SHAPES = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})
"""Model types whose layers are those of policy.layers, up to biases, norms of heads and rotary
layers."""


def decoder(net: PreTrainedModel, cache: SlotCache) -> Decoder:
    """The quickest one that a model can take."""
    if net.config.model_type not in SHAPES or net.config.hidden_act != "silu":
        return ModuleDecoder(net, cache)
    sizes = (net.config.hidden_size, net.config.intermediate_size)
    even = not any(size % kernels.UNIT for size in sizes)
    first = next(net.parameters())
    return CompiledDecoder(net, cache) if even and kernels.fit(first) else LeanDecoder(net, cache)
