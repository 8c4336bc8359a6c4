"""Where the learner computes."""

from __future__ import annotations

import torch


def device_of(name: str) -> str:
    """`auto` is CUDA where there is one, else the CPU; any other name is itself."""
    if name != "auto":
        return name
    return "cuda:0" if torch.cuda.is_available() else "cpu"
