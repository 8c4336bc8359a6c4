"""Where a round's models live, and on how many threads they work."""

from __future__ import annotations

import os

import torch

from learner.parallel import use_threads
from learner.settings import LearnerSettings
from policy.memory import available_bytes, resident_bytes


def take_device(settings: LearnerSettings) -> str:
    """The device that is set, its threads with it."""
    device = device_of(settings.device)
    use_threads(settings.cpu_threads if device == "cpu" else 1)
    return device


def device_of(name: str) -> str:
    """`auto` is CUDA where there is one, the process's own of several, else the CPU; any other name
    is itself.
    """
    if name != "auto":
        return name
    own = os.environ.get("LOCAL_RANK", "0")
    return f"cuda:{own}" if torch.cuda.is_available() else "cpu"


def on_cpu(name: str) -> bool:
    """Whether that is the CPU."""
    return device_of(name).startswith("cpu")


def free_bytes(name: str) -> int:
    """What is free, and what this process holds already."""
    if on_cpu(name):
        return available_bytes() + resident_bytes()
    free, _ = torch.cuda.mem_get_info(device_of(name))
    return int(free) + torch.cuda.memory_reserved(device_of(name))
