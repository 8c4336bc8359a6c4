"""One step's replies, what was known of them when they were sampled, and what each token earned.

Knows no critic, and not how advantages are made of rewards.

Axes: R replies, L tokens of a reply, D hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from learner.anchor import Anchor
from learner.batching import Group, collate
from learner.losses import kl_estimate
from learner.reward import RewardModel
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

    `ref_logps_RL` are the reference's where the KL to it is paid out of the reward, else None.
    """

    groups: Sequence[Group]
    mask_RL: Tensor
    old_logps_RL: Tensor
    ref_logps_RL: Tensor | None
    features_RLD: Tensor
    scores_R: Tensor
    stopped_R: Tensor
    wrong_R: Tensor

    def replies_of(self, indices: Sequence[int]) -> list[int]:
        """The replies of these groups."""
        starts = list(accumulate((len(g.replies) for g in self.groups), initial=0))
        return [r for i in indices for r in range(starts[i], starts[i + 1])]

    @property
    def figures(self) -> dict[str, float]:
        """What a step's metrics say of its replies."""
        return {
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


@torch.no_grad()
def judged(
    prompts: Sequence[Prompt],
    replies: Sequence[Sequence[Completion]],
    reward: RewardModel,
    wrong: Wrong,
    reference: Anchor | None,
) -> Experience:
    """The replies scored; a `reference` adds its log-probabilities of them."""
    device = reward.net.device
    pairs = zip(prompts, replies, strict=True)
    groups = [Group(p, tuple(c.tokens for c in answers)) for p, answers in pairs]
    flat = [c for answers in replies for c in answers]
    old_logps_N = torch.tensor([x for c in flat for x in c.logps], device=device)
    batch = collate(groups, device)
    hidden = reward.hidden_MD(batch)
    return Experience(
        groups,
        batch.mask_RL,
        batch.placed(old_logps_N),
        batch.placed(reference.logps_N(groups)) if reference else None,
        batch.placed(hidden[batch.predicts_N]),
        reward.scores(hidden, batch),
        torch.tensor([c.finish == "stop" for c in flat], device=device),
        torch.tensor([wrong(c.prompt, c.tokens) for c in flat], device=device),
    )


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
