"""Ten updates that should serve: what the learner makes, and shorter ways to the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.people import Score
from benchmarks.preferences import asks_back, in_one_piece
from benchmarks.update_stand import Stand, Update, teach
from learner.material import BuiltinMaterial
from learner.ppo import PPO
from learner.rewarder import Rewarder
from learner.settings import PPOSettings
from learner.weights import copied, half_way_back

RATE = 3e-4
"""Gentle: an honest step is small."""


def good_updates() -> Iterator[Update]:
    """Three looks at one run of PPO; the best of eight replies learned, by two preferences and
    three seeds; and half of such steps.
    """
    run: list[str] = []
    for place, steps in enumerate((0.4, 0.7, 1.0)):
        yield Update(f"PPO, {steps:.0%} of its steps", None, partial(_ppo, run, place))
    for preference in (asks_back, in_one_piece):
        for seed in range(3):
            name = f"best of eight, {preference.__name__}, seed {seed}"
            yield Update(name, None, partial(_best, preference, seed, False), preference)
    yield Update("half of one", None, partial(_best, asks_back, 3, True))


def _ppo(run: list[str], place: int, stand: Stand) -> str:
    """The versions of one run, made when the first is asked for."""
    if not run:
        run += _ppo_versions(stand)
    return run[place]


def _ppo_versions(stand: Stand) -> list[str]:
    """After two fifths, seven tenths and all of the steps."""
    material, policy = BuiltinMaterial(stand.live, (), 0), stand.policy()
    settings = PPOSettings(steps=stand.effort.ppo_steps)
    reward = Rewarder(stand.reward(asks_back, 0, 0))
    ppo = PPO(policy, stand.live.net, reward, material.replay, settings, 0, material.wrong)
    versions = []
    for step in range(1, settings.steps + 1):
        ppo.step(material.draw(settings.prompts_per_step))
        if step in {max(1, round(share * settings.steps)) for share in (0.4, 0.7, 1.0)}:
            versions.append(stand.publish(policy))
    return versions if len(versions) == 3 else [versions[-1]] * 3


def _best(preference: Score, seed: int, half: bool, stand: Stand) -> str:
    """The replies that people like best of eight, learned; or half of the way there."""
    policy = stand.policy()
    start = copied(policy.net)
    teach(policy, stand.liked(preference), stand.effort.steps, seed, RATE)
    if half:
        half_way_back(policy.net, start)
    return stand.publish(policy)
