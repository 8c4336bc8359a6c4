"""The two reward models of a round, each the other's examiner.

The first trains on the "train" conversations and rewards PPO; the second on the "judge" ones, which
PPO never sees, and judges the result. Each is scored on the other's conversations: together that is
an accuracy cross-validated by conversation over all rankings, for the price of one pass over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from feedback.preferences import MarkedPrompt, RankedPrompt, agreement
from feedback.records import Reason
from learner.accuracy import Accuracy, across_prompts, judged_pairs, length_correlation, measure
from learner.batching import Group
from learner.calibration import Calibration, calibration, cross_fitted, log_odds_scale
from learner.criteria import correlations, ordered_right
from learner.marked import sides_of
from learner.nets import Start
from learner.parallel import at_once
from learner.progress import Progress
from learner.ranked_group import RankedGroup
from learner.reward import Report, train
from learner.reward_model import RewardModel
from learner.saved import Saved
from learner.settings import RewardSettings
from learner.state import State
from learner.ties import TieAccuracy, compared, tie_width, with_ties

Exam = list[tuple[RankedGroup, Sequence[float]]]
"""Rankings that a model has not seen, with its scores of their answers."""


SAVED = "judges"
"""The name of both models' state in the folder of a running round."""


@dataclass(frozen=True)
class Pair:
    """Both models, before anything is known of them."""

    reward: RewardModel
    judge: RewardModel

    def normalise(self, reference: Sequence[Group], pessimism: float) -> None:
        """On samples of the reference. The judge stays neutral: it would hold against a version
        that it says what is new.
        """
        self.reward.pessimism = pessimism
        for model in (self.reward, self.judge):
            model.normalise_on(reference)

    def state(self) -> State:
        """Both models'."""
        return State.of(reward=self.reward.state(), judge=self.judge.state())

    def restore(self, state: State) -> None:
        """Be as the pair of the same start was that gave this state."""
        self.reward.restore(state.part("reward"))
        self.judge.restore(state.part("judge"))


@dataclass(frozen=True)
class Judges:
    """Both models, normalised; `held_out` is the first's accuracy on what it has not seen,
    `cross_validated` both together, over all rankings, and `tie_aware` with ties as outcomes.
    `judge_accuracy` is the second's on what it has not seen, `judge_scale` makes its gaps log-odds;
    `calibration` is both together, each on a scale so fitted. `length_correlation` is theirs too.

    `agreement` and `tie_aware_agreement` are people's, where two or more compared the same answers:
    the ceiling of accuracy on untied pairs, and with ties as outcomes. `criteria` says of each that
    counts how both models' foretold ratings correlate with those of unseen conversations, and how
    much of what was ranked by it alone they order right.
    """

    reward: RewardModel
    judge: RewardModel
    judge_scale: float
    judge_accuracy: Accuracy
    held_out: Accuracy
    cross_validated: Accuracy
    tie_aware: TieAccuracy
    calibration: Calibration
    length_correlation: float | None
    agreement: float | None
    tie_aware_agreement: float | None
    criteria: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    @property
    def surely_better(self) -> Reason:
        """Whether they are surely better than chance: PPO starts only then."""
        a, ties = self.cross_validated, self.tie_aware
        text = (
            f"Orders {a.accuracy:.3f} of the pairs of a ranking as people did, in "
            f"{a.conversations} unseen conversations with {a.pairs} untied pairs "
            f"(95 % interval {a.low:.3f} to {a.high:.3f}; preferring the longer "
            f"{a.longer_wins:.3f}). With ties as outcomes {ties.accuracy:.3f}; always saying tie "
            f"{ties.always_tied:.3f}."
        )
        return Reason("reward_accuracy", a.low > 0.5, a.accuracy, 0.5, text)

    @property
    def figures(self) -> dict[str, Any]:
        """The held-out figures of PPO's reward model, the cross-validated ones beside, and those
        with ties as outcomes; then how far probabilities and lengths are to be trusted, and how far
        people agree (None where no two compared the same answers).
        """
        cross = {f"cross_validated_{k}": v for k, v in self.cross_validated.as_dict().items()}
        ties = {f"tie_aware_{k}": v for k, v in asdict(self.tie_aware).items()}
        return {
            **self.held_out.as_dict(),
            **cross,
            **ties,
            "calibration_error": self.calibration.error,
            "reliability": self.calibration.bins,
            "length_correlation": self.length_correlation,
            "agreement": self.agreement,
            "tie_aware_agreement": self.tie_aware_agreement,
            **({"criteria": self.criteria} if self.criteria else {}),
        }


def train_judges(
    start: Start,
    rankings: Sequence[RankedPrompt],
    reference: Sequence[Group],
    settings: RewardSettings,
    seed: int,
    progress: Progress,
    saved: Saved | None = None,
    marked: Sequence[MarkedPrompt] = (),
) -> Judges:
    """Train both from fresh ones; `reference` are samples to normalise on.
    The progress shown is the first's, which has more to learn from. What `saved` holds is not
    trained again.
    """
    sides = sides_of(rankings, marked, settings)
    train_side, judge_side = sides["train"], sides["judge"]
    progress.stage("reward")
    # transformers loads one model at a time: threads would share what it patches meanwhile.
    pair = Pair(start(seed), start(seed + 1))
    before = saved.read(SAVED) if saved else None
    if before is not None:
        pair.restore(before)
    else:
        _fit(pair, (train_side, judge_side), settings, seed, progress)
        pair.normalise(reference, settings.pessimism)
        if saved:
            saved.write(SAVED, pair.state())
    exams = _examine(pair.reward, judge_side), _examine(pair.judge, train_side)
    judges = _judges(pair, exams, [r for r in rankings if r.criterion is None])
    if not settings.weighed_criteria:
        return judges
    told = criteria_told([(pair.reward, judge_side), (pair.judge, train_side)])
    return replace(judges, criteria=told)


def _fit(
    pair: Pair,
    sides: tuple[Sequence[RankedGroup], Sequence[RankedGroup]],
    settings: RewardSettings,
    seed: int,
    progress: Progress,
) -> None:
    """Train each on its side of the split, both at once."""

    def fit(part: tuple[RewardModel, Sequence[RankedGroup], int, Report]) -> None:
        model, side, part_seed, report = part
        train(model, side, settings, part_seed, report)

    own = (pair.reward, sides[0], seed, progress.reporter(every=4))
    at_once(fit, [own, (pair.judge, sides[1], seed + 1, _silent)])


def _judges(pair: Pair, exams: tuple[Exam, Exam], rankings: Sequence[RankedPrompt]) -> Judges:
    """Both models with what their exams, and the rankings themselves, say of them."""
    seen_by_reward, seen_by_judge = (
        [pair for ranking, scores in exam for pair in judged_pairs(ranking, scores)]
        + across_prompts(exam)
        for exam in exams
    )
    sides = [[pair for r, scores in exam for pair in compared(r, scores)] for exam in exams]
    widths = [tie_width(side) for side in reversed(sides)]
    return Judges(
        pair.reward,
        pair.judge,
        log_odds_scale(seen_by_judge),
        measure(seen_by_judge),
        measure(seen_by_reward),
        measure(seen_by_reward + seen_by_judge),
        with_ties(list(zip(sides, widths, strict=True))),
        calibration(cross_fitted(seen_by_reward) + cross_fitted(seen_by_judge)),
        length_correlation(exams[0] + exams[1]),
        agreement(rankings),
        agreement(rankings, ties=True),
    )


def _silent(step: int, steps: int, metrics: dict[str, float]) -> None:
    """Reports nothing."""


def _examine(model: RewardModel, rankings: Sequence[RankedGroup]) -> Exam:
    """Scores of rankings that the model has not seen; ratings without ranks are none."""
    ranked = [r for r in rankings if r.ranks]
    return list(zip(ranked, model.score([r.group for r in ranked]), strict=True))


def criteria_told(
    exams: Sequence[tuple[RewardModel, Sequence[RankedGroup]]],
) -> dict[str, dict[str, float | None]]:
    """How what models say of unseen answers by each criterion goes with what people said."""
    criteria = exams[0][0].criteria
    assert criteria is not None, "criteria that count have heads"
    names, foretold, given = [*criteria.weights], [torch.empty(0, len(criteria.weights))], []
    ordered: list[tuple[RankedGroup, torch.Tensor]] = []
    for model, groups in exams:
        rated = [group for group in groups if group.criteria]
        foretold += [found_KC.cpu() for found_KC in model.by_criterion([g.group for g in rated])]
        given += [group.given_KC(names) for group in rated]
        orders = [group for group in groups if group.orders]
        ordered += zip(orders, model.by_criterion([g.group for g in orders]), strict=True)
    told = correlations(names, torch.cat(foretold), torch.cat([foretold[0], *given]))
    right = ordered_right(names, ordered)
    return {name: told[name] | right.get(name, {}) for name in names}
