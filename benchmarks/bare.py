"""The bare forward pass: what a model yields with nothing around it."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from transformers import DynamicCache

from policy.model import load

PROMPT = 32
STEPS = 64


@torch.inference_mode()
def tokens_per_second(model: Path, dtype: str, rows: int) -> float:
    """transformers' own pass, one thread, one token of every row at a time after a short prompt; no
    sampling, no text, no HTTP. The better of two runs: the first one warms up."""
    torch.set_num_threads(1)
    net = load(model, dtype=getattr(torch, dtype)).net
    return max(_run(net, rows) for _ in range(2))


def _run(net: torch.nn.Module, rows: int) -> float:
    cache = DynamicCache()
    net(input_ids=torch.ones(rows, PROMPT, dtype=torch.int64), cache=cache)
    ids = torch.ones(rows, 1, dtype=torch.int64)
    began = time.perf_counter()
    for _ in range(STEPS):
        net(input_ids=ids, cache=cache)
    return rows * STEPS / (time.perf_counter() - began)
