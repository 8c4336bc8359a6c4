"""Bringing a version into memory, in the decoding process: loaded, given its cache, tried."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from policy.cache import position_bytes
from policy.chat import Chat, Message
from policy.engine import Engine, Request, generate
from policy.memory import machine_bytes
from policy.model import Model, load, load_adapter
from policy.params import SamplingParams

from ..settings import ServerSettings
from .orders import Broken, Load

WARM_MESSAGES = (Message("user", "Hello!"),)
WARM_TOKENS = 8


@dataclass(frozen=True)
class Hosted:
    """An engine and the chat format that its tokens are read by."""

    engine: Engine
    chat: Chat


class Bases:
    """Models that several versions share the tensors of, by folder; each is loaded once and stays,
    as v0 does."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._models: dict[Path, Model] = {}
        self._loading = threading.Lock()

    def model(self, order: Load) -> Model:
        """What is to answer, of tensors of its own or over a base. Raises UnsupportedModel."""
        if order.base is None:
            return self._load(order.folder, order.version)
        base = self._base(order.base)
        if order.folder == order.base:
            return base
        return load_adapter(order.folder, base, name=order.version)

    def _base(self, folder: Path) -> Model:
        with self._loading:
            if folder not in self._models:
                self._models[folder] = self._load(folder, str(folder))
            return self._models[folder]

    def _load(self, folder: Path, name: str) -> Model:
        device, dtype = device_of(self._settings.device), dtype_of(self._settings.dtype)
        return load(folder, name=name, device=device, dtype=dtype, frozen=True)


def host(order: Load, bases: Bases, settings: ServerSettings) -> Hosted:
    """A version that answers. Raises UnsupportedModel, Broken, and OSError or RuntimeError where
    the machine lacks something."""
    model = bases.model(order)
    model.net.requires_grad_(False)
    hosted = Hosted(engine_for(model.net, settings), model.chat)
    warm(hosted)
    return hosted


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
