"""What ends a round's steps early: each guard holds one figure to one limit, and says so.

A guard is for what is broken, not for what is merely poor: that the gate refuses. What the steps
before it had gained and the regression set had found good is kept and goes to the gate as ever.

1. Three updates in a row that are not finite (each is skipped, learner/optimise.py).
2. A token's ratio above 10: the update that would follow it is not made.
3. Entropy, or the length of a reply, fallen to a small share of the first step's.
4. The reward rises while the second reward model, which PPO does not see, scores the same replies
   surely lower: what pleases the one alone is no longer what people ranked for. That model's
   accuracy on rankings cannot tell, since neither is trained meanwhile; and what is said to other
   prompts would have to be sampled. A step's own replies cost one pass of it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feedback.records import Reason
from learner.experience import Experience
from learner.optimise import NotFinite
from learner.reward_model import RewardModel
from learner.state import State

RATIO_LIMIT = 10.0
"""A clipped update moves few tokens past 1 ± clip; one at ten times its probability left it."""

ENTROPY_SHARE = 0.25
"""Of the first step's entropy; replies that are all alike teach nothing more."""

LENGTH_SHARE = 0.1
"""Of the first step's length. People may like brief answers; a tenth is hardly a word."""

SURE = 2.5
"""Standard errors by which the reward must have risen and the second model's score have fallen.
Where that model sees no change, it falls so far by chance in 1 of 100 looks at 16 prompts.
"""


class Tripped(RuntimeError):
    """A guard ends the steps; `reason` says value, limit and what was done."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


def reason_of(error: Tripped | NotFinite) -> Reason:
    """Why the steps ended."""
    if isinstance(error, Tripped):
        return error.reason
    return Reason("finite_updates", False, 3.0, 3.0, f"PPO ended: {error}; none was made.")


def check_ratio(ratio_max: float) -> None:
    """Raises Tripped where a minibatch's largest ratio to the sampling policy is too large."""
    if ratio_max > RATIO_LIMIT:
        text = (
            f"A token had {ratio_max:.1f} times the probability that it was sampled with; the "
            f"limit is {RATIO_LIMIT:.0f}. The update was not made, and PPO ended."
        )
        raise Tripped(Reason("ratio", False, ratio_max, RATIO_LIMIT, text))


class Collapse:
    """Holds a figure to a share of what it was at first."""

    def __init__(self, name: str, what: str, share: float) -> None:
        self.name = name
        self.what = what
        self.share = share
        self.first: float | None = None

    def look(self, value: float) -> Reason | None:
        """A reason to end, once the value is below."""
        self.first = value if self.first is None else self.first
        limit = self.share * self.first
        if value >= limit:
            return None
        text = (
            f"{self.what} fell from {self.first:.3f} to {value:.3f}; the limit is {limit:.3f}, "
            f"{self.share:.0%} of the first step's. PPO ended."
        )
        return Reason(self.name, False, value, limit, text)


@dataclass(frozen=True)
class Change:
    """How far a mean moved, and the standard error of that."""

    moved: float
    error: float

    @classmethod
    def of(cls, before: Sequence[float], after: Sequence[float]) -> Change:
        """Between two samples of independent values, two at least in each."""
        errors = [statistics.variance(sample) / len(sample) for sample in (before, after)]
        moved = statistics.fmean(after) - statistics.fmean(before)
        return cls(moved, math.sqrt(sum(errors)))


def parted(reward: Change, judge: Change) -> Reason | None:
    """A reason to end where the reward surely rose and the second model's score surely fell."""
    limit = -SURE * judge.error
    if reward.moved <= SURE * reward.error or judge.moved >= limit:
        return None
    text = (
        f"Since the first step the reward rose by {reward.moved:.2f}, and the score of a reward "
        f"model that PPO does not see moved by {judge.moved:.2f}; the limit is {limit:.2f}, "
        f"{SURE:g} standard errors. PPO ended."
    )
    return Reason("second_opinion", False, judge.moved, limit, text)


class SecondOpinion:
    """What the second reward model thinks of the replies that the first one rewarded."""

    def __init__(self, judge: RewardModel) -> None:
        self.judge = judge
        self.first: tuple[list[float], list[float]] | None = None
        self.score: float | None = None

    def look(self, experience: Experience) -> Reason | None:
        """A reason to end where the two have parted since the first look. One prompt's replies
        hang together, so their mean is one observation.
        """
        groups, judged = experience.groups, self.judge.score(experience.groups)
        own = [experience.ranking_R[experience.replies_of([i])] for i in range(len(groups))]
        ours, theirs = [s.mean().item() for s in own], [statistics.fmean(s) for s in judged]
        self.score = statistics.fmean(theirs)
        self.first = self.first or (ours, theirs)
        if len(groups) < 2:
            return None
        return parted(Change.of(self.first[0], ours), Change.of(self.first[1], theirs))


class Watch:
    """All guards of a round's steps, over what each step reports. Without a `judge` there is no
    second opinion.
    """

    def __init__(self, judge: RewardModel | None) -> None:
        self.entropy = Collapse("entropy", "The entropy of a token", ENTROPY_SHARE)
        self.length = Collapse("reply_length", "The length of a reply", LENGTH_SHARE)
        self.opinion = SecondOpinion(judge) if judge else None

    def look(
        self, metrics: Mapping[str, float], experience: Experience, ask: bool
    ) -> Reason | None:
        """A reason to end the steps; the second model is heard where `ask` says so."""
        found = [self.length.look(metrics["reply_tokens"])]
        if "entropy" in metrics:  # not where no update of the step was finite
            found.append(self.entropy.look(metrics["entropy"]))
        if self.opinion and ask:
            found.append(self.opinion.look(experience))
        return next((reason for reason in found if reason), None)

    def heard(self) -> dict[str, float]:
        """The second model's mean score, if it was asked since the last call."""
        if self.opinion is None or self.opinion.score is None:
            return {}
        score, self.opinion.score = self.opinion.score, None
        return {"second_opinion": score}

    def state(self) -> State:
        """What the first step was like."""
        opinion = self.opinion.first if self.opinion else None
        first = {"entropy": self.entropy.first, "length": self.length.first, "opinion": opinion}
        return State(values=first)

    def restore(self, state: State) -> None:
        """Go on from a state of the same round."""
        first = state.values
        self.entropy.first, self.length.first = first["entropy"], first["length"]
        if self.opinion and first["opinion"]:
            ours, theirs = first["opinion"]
            self.opinion.first = (ours, theirs)
