"""The policy's update, part by part, on a tiny random policy."""

from __future__ import annotations

import copy
import math
import random
from pathlib import Path

import pytest
import torch

from learner.actor import Actor
from learner.batching import Group
from learner.experience import Lesson, judged, unchecked
from learner.reward_model import RewardModel
from learner.rewarder import Rewarder
from learner.settings import PPOSettings
from policy.engine import Completion
from policy.model import Model, load
from tests.tiny_models import make_tiny

LENGTHS = ((1, 9, 2, 5), (3, 3, 7, 1), (8, 2, 2, 6), (4, 1, 1, 12))
"""Tokens of the replies to four prompts."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("tiny") / "policy", "llama", seed=0)


@pytest.fixture
def policy(folder: Path) -> Model:
    return load(folder)


def make_actor(policy: Model, **changed: object) -> Actor:
    given = {"ptx": 0.0, "replies_per_prompt": 4, "minibatch": 16}
    settings = PPOSettings.model_validate(given | changed)
    example = Group((5, 6), ((7, 8, 9),))
    reference = copy.deepcopy(policy.net)
    return Actor(policy, reference, lambda count: [example] * count, settings, seed=3)


def made_lesson(actor: Actor, logp: float = -4.0) -> Lesson:
    """Replies of `LENGTHS`, each token drawn with `logp`, with advantages of either sign."""
    rng = random.Random(0)
    prompts = [tuple(rng.randrange(10, 60) for _ in range(3)) for _ in LENGTHS]
    replies = [
        [_completion(prompt, length, logp, rng) for length in lengths]
        for prompt, lengths in zip(prompts, LENGTHS, strict=True)
    ]
    reward = RewardModel.start(actor.policy.folder, seed=1)
    reference = actor.anchor if actor.settings.kl_in == "reward" else None
    experience = judged(prompts, replies, Rewarder(reward), unchecked, reference)
    generator = torch.Generator().manual_seed(0)
    return Lesson(experience, torch.randn(experience.mask_RL.shape, generator=generator))


def _completion(
    prompt: tuple[int, ...], length: int, logp: float, rng: random.Random
) -> Completion:
    tokens, logps = tuple(rng.randrange(10, 60) for _ in range(length)), (logp,) * length
    return Completion(prompt, tokens, logps, logps, "stop")


@pytest.mark.parametrize("minibatch_tokens", [None, 1000])
@pytest.mark.parametrize("kl_in", ["loss", "reward"])
def test_gradients_do_not_depend_on_how_a_minibatch_is_divided(
    policy: Model, kl_in: str, minibatch_tokens: int | None
) -> None:
    """Four parts with 17, 14, 18 and 18 reply tokens add up to what one part of 67 gives: no mean
    of means. In float64, to a millionth.
    """
    changed = {"kl_in": kl_in, "minibatch_tokens": minibatch_tokens, "ptx": 0.5}
    actor = make_actor(policy, entropy_bonus=0.1, dual_clip=3.0, **changed)
    for net in (policy.net, actor.anchor.net):
        net.double()
    lesson, everything = made_lesson(actor), list(range(4))

    def gradients(divided: list[list[int]]) -> torch.Tensor:
        parts = actor.parts(lesson.experience, everything, divided)
        found = [actor.differentiated(lesson, part)[0] for part in parts]
        flat = [torch.cat([g.flatten() for g in one if g is not None]) for one in found]
        return torch.stack(flat).sum(0)

    whole, parts = gradients([everything]), gradients([[i] for i in everything])
    assert whole.dtype == torch.float64
    assert whole.norm() > 1e-3
    torch.testing.assert_close(parts, whole, rtol=1e-6, atol=1e-6)


def test_dual_clip_bounds_what_a_bad_token_costs(policy: Model) -> None:
    """One token drawn with e^-2 of its probability now, advantage -1: it costs e^2, with the bound
    3. Every other advantage is 0, so the mean over the minibatch's tokens is a 67th.
    """
    costs = {}
    for dual_clip in (None, 3.0):
        actor = make_actor(policy, dual_clip=dual_clip, kl_coef=0.0)
        lesson = made_lesson(actor)
        e, advantages = lesson.experience, torch.zeros_like(lesson.advantages_RL)
        advantages[0, 0] = -1.0
        now = actor.anchor.logps_N(e.groups)[0]  # the anchor is the policy as it is
        e.old_logps_RL[0, 0] = now - 2.0
        [part] = actor.parts(e, range(4), [range(4)])
        costs[dual_clip] = actor.differentiated(Lesson(e, advantages), part)[1]["policy_loss"]
    assert costs[None] == pytest.approx(math.exp(2) / 67, rel=1e-4)
    assert costs[3.0] == pytest.approx(3 / 67, rel=1e-4)


def test_the_entropy_bonus_is_taken_from_the_loss(policy: Model) -> None:
    """Without advantages, KL and examples the loss is -.5 times the mean entropy of a token."""
    actor = make_actor(policy, entropy_bonus=0.5, kl_coef=0.0)
    e = made_lesson(actor).experience
    [part] = actor.parts(e, range(4), [range(4)])
    lesson = Lesson(e, torch.zeros(e.mask_RL.shape))
    metrics = actor.differentiated(lesson, part)[1]
    assert metrics["loss"] == pytest.approx(-0.5 * metrics["entropy"], rel=1e-5)


def test_minibatches_can_hold_so_many_reply_tokens(policy: Model) -> None:
    """Of prompts with 17, 14, 18 and 18, at most 35 in each: two and two in some order."""
    actor = make_actor(policy, minibatch_tokens=35)
    minibatches = actor._minibatches(made_lesson(actor).experience)
    assert sorted(i for indices in minibatches for i in indices) == [0, 1, 2, 3]
    assert all(sum(sum(LENGTHS[i]) for i in indices) <= 35 for indices in minibatches)
    assert len(minibatches) < 4


def test_the_moving_reference_follows_after_a_step(policy: Model) -> None:
    """At a decay of .5 half of what the policy moved is followed."""
    actor = make_actor(policy, anchor_decay=0.5)
    weight = next(policy.net.parameters())
    before = weight.detach().clone()
    with torch.no_grad():
        weight.add_(1.0)
    actor.adapt({}, 16)
    torch.testing.assert_close(next(actor.anchor.net.parameters()), before + 0.5)
