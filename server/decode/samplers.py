"""Which sampler the settings ask for."""

from __future__ import annotations

from ..settings import Settings
from .sampler import Sampler
from .worker import Worker


def sampler_of(settings: Settings) -> Sampler:
    """One that is not started yet."""
    if settings.server.sampler == "embedded":
        return Worker(settings.server, settings.log.format)
    # aiohttp and the tokenizers' library: nobody else waits for their import
    from ..vllm.sampler import VllmSampler

    return VllmSampler(settings.vllm, settings.data)
