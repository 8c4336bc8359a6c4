"""What a step's replies earned, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from learner.batching import Group, collate
from learner.experience import Experience, on_last_token, reply_rewards_R, token_rewards_RL
from learner.settings import PPOSettings


def experience_of(groups: Sequence[Group], scores: Sequence[float]) -> Experience:
    """Replies that ended by themselves, of one nat a token, with these scores."""
    mask_RL = collate(groups).mask_RL
    return Experience(
        groups=groups,
        mask_RL=mask_RL,
        old_logps_RL=-1.0 * mask_RL,
        ref_logps_RL=None,
        features_RLD=torch.zeros(*mask_RL.shape, 1),
        scores_R=torch.tensor(scores),
        stopped_R=torch.ones(len(scores), dtype=torch.bool),
        wrong_R=torch.zeros(len(scores), dtype=torch.bool),
    )


def test_the_reward_stands_on_the_last_token() -> None:
    """Everywhere else it is 0; a reply that was cut pays the penalty, and a wrong one another."""
    settings = PPOSettings(missing_stop_penalty=1.5, wrong_penalty=0.25)
    batch = collate([Group((5, 6), ((7,), (8, 9), (10, 11, 12), (13, 14)))])
    stopped = torch.tensor([True, False, True, False])
    wrong = torch.tensor([True, False, False, True])
    scores = torch.tensor([0.5, 0.5, 9.0, -9.0])
    rewards = on_last_token(reply_rewards_R(scores, stopped, wrong, settings), batch.mask_RL)
    # 0.5 - 0.25; 0.5 - 1.5; 9 clipped to 5; -9 clipped to -5, less 1.5 and 0.25.
    assert rewards.tolist() == [[0.25, 0, 0], [0, -1, 0], [0, 0, 5], [0, -6.75, 0]]


@pytest.mark.parametrize(("kind", "kl"), [("k1", (0.5, -1.0)), ("k2", (0.125, 0.5))])
def test_the_kl_is_paid_token_by_token(kind: str, kl: tuple[float, float]) -> None:
    """Log-ratios .5 and -1 at a coefficient of .2; the score of .5 stands on the last token, and
    nothing behind the end."""
    settings = PPOSettings.model_validate({"kl_in": "reward", "kl_kind": kind})
    e = experience_of([Group((5,), ((7, 8), (7, 8, 9)))], [0.5, 0.0])
    priced = replace(e, ref_logps_RL=torch.tensor([[-1.5, 0.0, 0.0], [-1.0, -1.0, -1.0]]))
    rewards = token_rewards_RL(priced, settings, kl_coef=0.2)
    torch.testing.assert_close(
        rewards, torch.tensor([[-0.2 * kl[0], 0.5 - 0.2 * kl[1], 0], [0, 0, 0]])
    )
