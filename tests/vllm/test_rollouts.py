"""PPO's replies drawn by vLLM: by the policy as it is, and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.vllm_engines import Engine
from learner.remote_rollout import OnEngines, SamplerDiffers, distance
from learner.rollout import Sampling
from policy import adapters
from policy.model import Model, load
from tests.test_policy_adapters import stir

pytestmark = pytest.mark.vllm
PROMPTS = [(3, 20 + i, 21, 22) for i in range(12)]


@pytest.fixture(scope="module")
def policy(model: Path) -> Model:
    """Disturbed from the base that the engines serve."""
    loaded = load(model, name="v0")
    net = adapters.share(loaded.net)
    adapters.attach(net, rank=8, alpha=16.0, seed=1, base=str(model))
    stir(net, 1)
    return replace(loaded, net=net)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_replies_have_the_policys_own_log_probabilities(
    fleet: Sequence[Engine], model: Path, policy: Model, tmp_path: Path, temperature: float
) -> None:
    """To 1e-3 a token, three to each prompt in the prompts' order; nothing stays on the engines."""
    draw = OnEngines([engine.url for engine in fleet], model, tmp_path, 1e-3)
    replies = draw(policy, PROMPTS, Sampling(temperature, 24, seed=5, replies=3))
    assert [len(some) for some in replies] == [3] * len(PROMPTS)
    assert [some[0].prompt for some in replies] == PROMPTS
    assert len({reply.tokens for some in replies for reply in some}) > len(PROMPTS)
    assert distance(policy, PROMPTS, replies, temperature) < 1e-3
    assert not any(name.startswith("rankloop@step") for e in fleet for name in e.names())
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_the_engines_do_not_have_ends_the_round(
    fleet: Sequence[Engine], model: Path, policy: Model, tmp_path: Path
) -> None:
    """It has moved since its adapter was written: the distance says so, and nothing is learned."""

    class Stale(OnEngines):
        async def _drawn(self, written, model, prompts, how):  # type: ignore[no-untyped-def]
            stir(policy.net, 2)
            return await super()._drawn(written, model, prompts, how)

    draw = Stale([engine.url for engine in fleet], model, tmp_path, 0.02)
    with pytest.raises(SamplerDiffers, match="sampler_gap"):
        draw(policy, PROMPTS, Sampling(1.0, 24, seed=5))
