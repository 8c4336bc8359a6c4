"""Where a round's models live, and on how many threads they work."""

from __future__ import annotations

import torch

from learner.parallel import use_threads
from learner.settings import LearnerSettings


def take_device(settings: LearnerSettings) -> str:
    """The device that is set, its threads with it."""
    device = device_of(settings.device)
    use_threads(settings.cpu_threads if device == "cpu" else 1)
    return device


def device_of(name: str) -> str:
    """`auto` is CUDA where there is one, else the CPU; any other name is itself."""
    if name != "auto":
        return name
    return "cuda:0" if torch.cuda.is_available() else "cpu"
