"""A published reward model, whole or an adapter over v0."""

from __future__ import annotations

import torch

from learner.reader import Reader
from learner.rewarder import Rewarder
from policy import adapters
from policy.versions import Versions


def published(
    versions: Versions, id: str, reader: Reader | None = None, device: torch.device | str = "cpu"
) -> Rewarder:
    """Read it; an adapter takes v0 with it. Raises UnknownVersion, CorruptVersion,
    UnusableScorer.
    """
    folder, base = versions.folder(id), None
    if adapters.is_adapter(folder):
        base = versions.load("v0", device=str(device), frozen=True).net
    return Rewarder.load(folder, reader, device, base)
