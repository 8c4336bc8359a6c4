"""One step's replies, what was known of them when they were sampled, and what each token earned.

Knows no critic, and not how advantages are made of rewards.

Axes: R replies, L tokens of a reply, D hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from learner import ranks
from learner.anchor import Anchor
from learner.batching import Group, collate, passes
from learner.losses import kl_estimate
from learner.parallel import at_once, halved
from learner.ranks import sharding
from learner.rewarder import RANKING, Rewarder
from learner.rollout import Prompt
from learner.settings import PPOSettings
from policy.engine import Completion

Wrong = Callable[[Prompt, Sequence[int]], bool]
"""Whether a reply to a prompt is known to be wrong."""


def unchecked(_prompt: Prompt, _reply: Sequence[int]) -> bool:
    """Nothing is known."""
    return False


@dataclass(frozen=True)
class Experience:
    """Replies with the sampler's log-probabilities, the reward model's states and scores, and
    whether each ended by itself and is known to be wrong.

    `ref_logps_RL` are the reference's where the KL to it is paid out of the reward, else None;
    `parts` are what the scores are made of, by name.
    """

    groups: Sequence[Group]
    mask_RL: Tensor
    old_logps_RL: Tensor
    ref_logps_RL: Tensor | None
    features_RLD: Tensor
    scores_R: Tensor
    stopped_R: Tensor
    wrong_R: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def ranking_R(self) -> Tensor:
        """What the reward model by itself says of the replies."""
        return self.parts.get(RANKING, self.scores_R)

    def replies_of(self, indices: Sequence[int]) -> list[int]:
        """The replies of these groups."""
        starts = list(accumulate((len(g.replies) for g in self.groups), initial=0))
        return [r for i in indices for r in range(starts[i], starts[i + 1])]

    @property
    def figures(self) -> dict[str, float]:
        """What a step's metrics say of its replies; the reward's parts, where it has several."""
        several = self.parts.items() if len(self.parts) > 1 else ()
        return {f"reward/{name}": part_R.mean().item() for name, part_R in several} | {
            "reward": self.scores_R.mean().item(),
            "reward_std": self.scores_R.std().item(),
            "reply_tokens": self.mask_RL.sum(1).float().mean().item(),
            "stopped": self.stopped_R.float().mean().item(),
            "wrong": self.wrong_R.float().mean().item(),
        }


@dataclass(frozen=True)
class Lesson:
    """Replies, and how much better each of their tokens was than expected."""

    experience: Experience
    advantages_RL: Tensor


@dataclass(frozen=True)
class Reading:
    """What the reward model sees in one reply, what the reply is given, in total and in parts, and
    the reference's log-probabilities of its tokens, if those were asked for.
    """

    features_LD: Tensor
    total: Tensor
    parts: Mapping[str, Tensor]
    ref_logps_L: Tensor | None


def judged(
    prompts: Sequence[Prompt],
    replies: Sequence[Sequence[Completion]],
    reward: Rewarder,
    wrong: Wrong,
    reference: Anchor | None,
) -> Experience:
    """The replies scored; a `reference` adds its log-probabilities of them."""
    pairs = zip(prompts, replies, strict=True)
    groups = [Group(p, tuple(c.tokens for c in answers)) for p, answers in pairs]
    flat = [c for answers in replies for c in answers]
    device = reward.device
    old_logps_RL = pad_sequence([torch.tensor(c.logps, device=device) for c in flat], True)
    readings = _readings(groups, reward, reference)
    refs = [reading.ref_logps_L for reading in readings if reading.ref_logps_L is not None]
    lengths_R1 = torch.tensor([[len(c.tokens)] for c in flat], device=device)
    return Experience(
        groups,
        torch.arange(old_logps_RL.shape[1], device=device) < lengths_R1,
        old_logps_RL,
        pad_sequence(refs, True).to(device) if refs else None,
        pad_sequence([reading.features_LD for reading in readings], True).to(device),
        torch.stack([reading.total for reading in readings]).to(device),
        torch.tensor([c.finish == "stop" for c in flat], device=device),
        torch.tensor([wrong(c.prompt, c.tokens) for c in flat], device=device),
        {
            name: torch.stack([reading.parts[name] for reading in readings]).to(device)
            for name in readings[0].parts
        },
    )


def _readings(groups: Sequence[Group], reward: Rewarder, reference: Anchor | None) -> list[Reading]:
    """Of every reply, in order."""

    def read(own: Sequence[Group]) -> list[list[Reading]]:
        found: list[list[Reading]] = [[] for _ in own]

        @torch.no_grad()
        def fill(runs: Sequence[list[int]]) -> None:
            for run in runs:
                readings = _read([own[i] for i in run], reward, reference)
                for i in run:
                    found[i] = [next(readings) for _ in own[i].replies]

        at_once(fill, halved(passes([len(group) for group in own], reward.device)))
        return found

    with sharding.gathered(reward.own.net):
        return [reading for readings in ranks.shared_out(read, groups) for reading in readings]


def _read(groups: Sequence[Group], reward: Rewarder, reference: Anchor | None) -> Iterator[Reading]:
    """In one pass of each model."""
    batch = collate(groups, reward.device)
    hidden = reward.own.hidden_MD(batch)
    lengths = batch.lengths_R.tolist()
    features = torch.split(hidden[batch.predicts_N], lengths)
    refs = torch.split(reference.logps_N(groups), lengths) if reference else [None] * len(lengths)
    rewards = reward.rewards(groups, batch, hidden)
    for r, (features_LD, ref_logps_L) in enumerate(zip(features, refs, strict=True)):
        parts = {name: part_R[r] for name, part_R in rewards.parts.items()}
        yield Reading(features_LD, rewards.total_R[r], parts, ref_logps_L)


def reply_rewards_R(
    scores_R: Tensor, stopped_R: Tensor, wrong_R: Tensor, settings: PPOSettings
) -> Tensor:
    """Clipped scores, less the penalties of a reply that did not end and of one that is wrong."""
    rewards_R = scores_R.clamp(-settings.reward_clip, settings.reward_clip)
    missed_R = settings.missing_stop_penalty * ~stopped_R
    return rewards_R - missed_R - settings.wrong_penalty * wrong_R


def on_last_token(rewards_R: Tensor, mask_RL: Tensor) -> Tensor:
    """(R, L): a reply's reward where its last token stands, 0 elsewhere."""
    rewards_RL = torch.zeros(mask_RL.shape, device=rewards_R.device)
    rewards_RL[torch.arange(len(rewards_R)), mask_RL.sum(1) - 1] = rewards_R
    return rewards_RL


def token_rewards_RL(experience: Experience, settings: PPOSettings, kl_coef: float) -> Tensor:
    """The reply's reward on its last token and, where the KL is paid out of the reward, on each
    token less `kl_coef` times its estimate of KL(sampler || reference) (Ziegler et al. 2019, 2.2).
    """
    e = experience
    rewards_R = reply_rewards_R(e.scores_R, e.stopped_R, e.wrong_R, settings)
    rewards_RL = on_last_token(rewards_R, e.mask_RL)
    if e.ref_logps_RL is None:
        return rewards_RL
    kl_RL = kl_estimate(e.old_logps_RL, e.ref_logps_RL, settings.kl_kind)
    return rewards_RL - kl_coef * kl_RL * e.mask_RL
