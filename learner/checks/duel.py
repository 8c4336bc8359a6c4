"""The new version against the live one, before a judge that PPO never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from feedback.records import Reason
from learner.batching import Group
from learner.checks.case import Case
from learner.interval import of_mean
from learner.reward_model import RewardModel
from learner.rollout import Sampling, roll_out
from policy.engine import Completion
from policy.model import Model

FIRST_LOOK, LAST_LOOK = 2.797, 1.977
"""Standard errors from one half that decide after half of the prompts, and after all: O'Brien and
Fleming's (1979) bounds for two looks, which err together as one look at 1.96 does."""

Replies = Sequence[Sequence[Completion]]
"""To each prompt."""


@dataclass(frozen=True)
class Duel:
    """The share of expected wins on each prompt that was asked, and all that both said to it;
    `bound` is how many standard errors above one half it takes to win."""

    wins: Sequence[float]
    new: Replies
    old: Replies
    bound: float

    @property
    def rate(self) -> tuple[float, float, float]:
        """The share of comparisons won, and its interval over prompts, of `bound` errors."""
        return of_mean(self.wins, self.bound)

    @property
    def won(self) -> bool:
        return self.rate[1] > 0.5


def fight(model: Model, case: Case, replies: int) -> Duel:
    """All replies to a prompt with all.

    One that leads by far on the first half of the prompts has won, and one that does not lead there
    has lost: neither is asked the second.
    """
    judge = case.judge
    assert judge is not None, "somebody judges a duel"
    half, seed = (len(case.held_out) + 1) // 2, 4 * case.seed
    duel = Duel((), (), (), FIRST_LOOK)
    for prompts in (case.held_out[:half], case.held_out[half:]):
        new = roll_out(model, prompts, Sampling(1.0, case.max_tokens, seed, replies))
        old = roll_out(case.live, prompts, Sampling(1.0, case.max_tokens, seed + 1, replies))
        scores = zip(_scores(judge, new), _scores(judge, old), strict=True)
        wins = [share_won(ours, theirs, case.judge_scale) for ours, theirs in scores]
        looks = LAST_LOOK if duel.wins else FIRST_LOOK
        duel = Duel((*duel.wins, *wins), (*duel.new, *new), (*duel.old, *old), looks)
        if duel.won or duel.rate[0] <= 0.5:
            break
        seed += 2
    return duel


def win_rate(duel: Duel) -> Reason:
    """The share of comparisons with the live version that the second reward model expects to win.

    It is a Bradley-Terry model, so a comparison counts by its probability of being won, on the
    scale that was fitted on rankings it had not seen: on its own it is surer than it is right, and
    that costs power. Three judges of 67 rankings put one better version 3.9, 3.8 and 4.2 standard
    errors above one half by their own scale, and 4.1, 4.1 and 5.9 by the plain gap of scores, which
    small scales come near.
    """
    rate, low, high = duel.rate
    text = (
        f"Expected to win {rate:.3f} of the comparisons with the live version on {len(duel.wins)} "
        f"held-out prompts ({low:.3f} to {high:.3f}, {duel.bound:.2f} standard errors each way), "
        "by a judge that PPO never saw."
    )
    return Reason("win_rate", duel.won, rate, 0.5, text, low, high)


def unjudged() -> Reason:
    """What is told of a fine-tuned version in place of the duel."""
    text = "Not compared with the live version: a round that fine-tunes trains no judge."
    return Reason("win_rate", True, None, None, text)


def judge_knows(case: Case) -> Reason:
    """Whether the duel's judge itself orders answers it has not seen better than a coin."""
    found = case.judge_accuracy
    assert found is not None, "a judge was examined"
    text = (
        f"The duel's judge orders {found.accuracy:.3f} of the pairs of a ranking as people did, in "
        f"{found.conversations} conversations it has not seen ({found.low:.3f} to "
        f"{found.high:.3f}); below one half its word would count for nothing."
    )
    return Reason("judge", found.accuracy > 0.5, found.accuracy, 0.5, text)


def share_won(new: Sequence[float], old: Sequence[float], scale: float) -> float:
    """The share of expected wins among one prompt's answers, all with all; `scale` makes gaps of
    scores log-odds.
    """
    gaps = torch.tensor(new)[:, None] - torch.tensor(old)[None, :]
    return torch.sigmoid(scale * gaps).mean().item()


def _scores(judge: RewardModel, replies: list[list[Completion]]) -> list[list[float]]:
    groups = [Group(answers[0].prompt, tuple(a.tokens for a in answers)) for answers in replies]
    return judge.score(groups)
