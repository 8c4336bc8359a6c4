"""Fresh replies of a policy to prompts, drawn by vLLM's engines.

The policy's adapter is written to a folder that the engines read, loaded under a name that never
comes again, and unloaded when the replies are there. What another program computes by the same
weights differs a little, and who learns from log-probabilities that are not its own learns
something else: so each batch is scored by the learner's own pass, and one that lies too far off
ends the round.

Axes: N reply tokens of a batch in order.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import torch

from learner.anchor import Anchor
from learner.batching import Group
from learner.rollout import Prompt, Sampling, request_of
from policy import adapters
from policy.engine import Completion
from policy.model import Model
from policy.vllm.client import Engine, EngineDown, NoSuchModel, Refused, session
from policy.vllm.together import TOGETHER, answers
from policy.vllm.wire import Asked

log = logging.getLogger("rankloop.learner")


class SamplerDiffers(RuntimeError):
    """The engines draw by other log-probabilities than the learner has."""

    def __init__(self, gap: float, limit: float) -> None:
        super().__init__(
            f"vLLM's log-probabilities of this step's replies are {gap:.4f} nats per token from the"
            f" learner's own; the limit is {limit:g} (learner.ppo.sampler_gap). Run the engines in"
            " the learner's dtype, or raise the limit."
        )


@dataclass(frozen=True)
class OnEngines:
    """Draws as `roll_out` does. `base`: the folder of the model that the adapters are over;
    `folder`: where they are written; `limit`: of the mean distance of log-probabilities."""

    urls: Sequence[str]
    base: Path
    folder: Path
    limit: float

    def __call__(
        self, model: Model, prompts: Sequence[Prompt], how: Sampling
    ) -> list[list[Completion]]:
        """Raises SamplerDiffers, and EngineDown where no engine answers."""
        assert adapters.adapted(model.net), "engines take adapters between two steps, not weights"
        self.folder.mkdir(parents=True, exist_ok=True)
        written = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            written.chmod(0o755)  # the engines may be somebody else's
            adapters.save(model.net, written)
            replies = asyncio.run(self._drawn(written, model, prompts, how))
        finally:
            shutil.rmtree(written)
        gap = distance(model, prompts, replies, how.temperature)
        log.info("vLLM's log-probabilities are %.5f nats per token from the learner's", gap)
        if not gap <= self.limit:
            raise SamplerDiffers(gap, self.limit)
        return replies

    async def _drawn(
        self, written: Path, model: Model, prompts: Sequence[Prompt], how: Sampling
    ) -> list[list[Completion]]:
        name = f"rankloop@step-{uuid4().hex[:16]}"
        async with session() as http:
            engines = [Engine(url, http) for url in self.urls]
            ready = [one for one in engines if await self._loaded(one, name, written)]
            try:
                return await answers(ready, [*self._asked(name, model, prompts, how)])
            finally:
                for engine in ready:
                    with suppress(EngineDown, NoSuchModel, Refused):
                        await engine.unload(name)

    async def _loaded(self, engine: Engine, name: str, written: Path) -> bool:
        try:
            if not (await engine.card()).serves(self.base):
                log.warning("%s serves another model than v0", engine.url)
                return False
            await engine.load(name, written)
        except (EngineDown, NoSuchModel, Refused) as error:
            log.warning("an engine is left out: %s", error)
            return False
        return True

    def _asked(
        self, name: str, model: Model, prompts: Sequence[Prompt], how: Sampling
    ) -> Sequence[Asked]:
        requests = (request_of(model, i, prompt, how) for i, prompt in enumerate(prompts))
        return [
            Asked(name, one.prompt, one.params, one.n, one.stop_ids, share=name, together=TOGETHER)
            for one in requests
        ]


def distance(
    model: Model,
    prompts: Sequence[Prompt],
    replies: Sequence[Sequence[Completion]],
    temperature: float,
) -> float:
    """The mean over tokens of how far the replies' log-probabilities lie from the model's own."""
    groups = [
        Group(prompt, tuple(reply.tokens for reply in some))
        for prompt, some in zip(prompts, replies, strict=True)
    ]
    own_N = Anchor(model.net, temperature, None).logps_N(groups)
    flat = [logp for some in replies for reply in some for logp in reply.logps]
    return float((torch.tensor(flat, device=own_N.device) - own_N).abs().mean())
