"""One version in memory: what requests read of it, and the try that it must pass first."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from policy.cache import position_bytes
from policy.chat import Message
from policy.engine import Engine, Request, generate
from policy.memory import machine_bytes
from policy.model import Model
from policy.params import SamplingParams

from .settings import ServerSettings
from .worker import Hosted

WARM_MESSAGES = (Message("user", "Hello!"),)
WARM_TOKENS = 8


class Broken(Exception):
    """The version itself is bad, and will be at every try: files that do not verify, answers that
    are no numbers."""


class Resident:
    """One version in memory. `readers` counts the requests that use it; Residence counts them."""

    def __init__(self, id: str, digest: str, model: Model, engine: Engine) -> None:
        self.id = id
        self.digest = digest
        self.context = engine.context
        self.positions = engine.positions
        self.template_hash = model.chat.template_hash
        self.stop_ids = model.chat.stop_ids
        self.vocabulary = int(model.net.config.vocab_size)
        self.readers = 0
        self.used_at = time.monotonic()
        self._chat = model.chat
        self._encoding = threading.Lock()

    def encode(self, messages: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        """Prompt ids. Raises policy.chat.InvalidMessages."""
        turns = [Message(role, content) for role, content in messages]
        # A tokenizer holds its settings while it works, so it serves one thread at a time.
        with self._encoding:
            return tuple(self._chat.encode(turns))

    def encode_text(self, text: str) -> tuple[int, ...]:
        """A text's ids, no template applied."""
        with self._encoding:
            return tuple(self._chat.encode_text(text))

    def texts(self, tokens: Sequence[int]) -> list[str]:
        """Each token's part of the whole text: a character belongs to the token that completes it,
        and what is left incomplete to the last one."""
        detokenizer = self._chat.detokenizer()
        texts = [detokenizer.push(token) for token in tokens]
        texts[-1:] = [text + detokenizer.flush() for text in texts[-1:]]
        return texts

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens by themselves; bytes that are no whole character show as U+FFFD."""
        return self._chat.decode(tokens)


def engine_for(net: PreTrainedModel, settings: ServerSettings) -> Engine:
    """An engine whose keys and values stay within their memory: four fifths for the rows, the rest
    for what finished ones leave to the next turn."""
    rows, context = settings.rows, int(net.config.max_position_embeddings)
    if settings.cache_gib is None:
        room = _spare_bytes(net.device) // position_bytes(net)
        room = min(room, rows * context * 5 // 4)
    else:
        room = int(settings.cache_gib * 2**30) // position_bytes(net)
    positions = room * 4 // 5
    if positions < 2:
        raise Broken(f"there is memory for {positions} tokens of attention cache")
    return Engine(
        net,
        rows=rows,
        context=min(context, positions),
        positions=positions,
        keep=room - positions,
        prefill=settings.prefill,
    )


def _spare_bytes(device: torch.device) -> int:
    """What one version's keys and values may take where nothing else was set: a few versions are
    resident at a time, and idle ones have touched little of theirs."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free) // 4
    return machine_bytes() // 8


def device_of(setting: str) -> str:
    if setting != "auto":
        return setting
    return "cuda" if torch.cuda.is_available() else "cpu"


def dtype_of(setting: str) -> torch.dtype | None:
    """None where the device decides."""
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}.get(setting)


def warm(hosted: Hosted) -> None:
    """A few tokens before anybody waits for them; raises Broken if they have no finite
    log-probability."""
    prompt = tuple(hosted.chat.encode(WARM_MESSAGES))
    params = SamplingParams(temperature=0.0, max_tokens=WARM_TOKENS)
    request = Request("warm", prompt, params, 2, hosted.chat.stop_ids)
    for completion in generate(hosted.engine, [request])["warm"]:
        if not all(math.isfinite(logp) for logp in completion.raw_logps):
            raise Broken("its log-probabilities are not finite")
