"""Where a round's models live, and on how many threads they work."""

from __future__ import annotations

import torch

from learner.parallel import use_threads
from learner.settings import LearnerSettings


def take_device(settings: LearnerSettings) -> str:
    """The device that is set (`auto` is CUDA where there is one, else the CPU), its threads set."""
    device = settings.device
    if device == "auto":
        device = "cuda:0" if torch.cuda.is_available() else "cpu"
    use_threads(settings.cpu_threads if device == "cpu" else 1)
    return device
