"""The two reward models of a round, each the other's examiner.

The first trains on the "train" conversations and rewards PPO; the second on the "judge" ones, which
PPO never sees, and judges the result. Each is scored on the other's conversations: together that is
an accuracy cross-validated by conversation over all rankings, for the price of one pass over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from feedback.preferences import MarkedPrompt, RankedPrompt, agreement
from learner.accuracy import Accuracy, across_prompts, judged_pairs, length_correlation, measure
from learner.batching import Group
from learner.calibration import Calibration, calibration, cross_fitted, log_odds_scale
from learner.criteria import correlations
from learner.marked import sides_of
from learner.parallel import at_once
from learner.progress import Progress
from learner.reward import RankedGroup, Report, RewardModel, train
from learner.settings import RewardSettings
from learner.ties import TieAccuracy, compared, tie_width, with_ties

Exam = list[tuple[RankedGroup, Sequence[float]]]
"""Rankings that a model has not seen, with its scores of their answers."""


@dataclass(frozen=True)
class Judges:
    """Both models, normalised; `held_out` is the first's accuracy on what it has not seen,
    `cross_validated` both together, over all rankings, and `tie_aware` with ties as outcomes.
    `judge_scale` makes the second's gaps log-odds, as fitted on what it has not seen;
    `calibration` is both together, each on a scale so fitted. `length_correlation` is theirs too.

    `agreement` and `tie_aware_agreement` are people's, where two or more compared the same answers:
    the ceiling of accuracy on untied pairs, and with ties as outcomes. `criteria` says of each that
    counts how both models' foretold ratings correlate with those of unseen conversations.
    """

    reward: RewardModel
    judge: RewardModel
    judge_scale: float
    held_out: Accuracy
    cross_validated: Accuracy
    tie_aware: TieAccuracy
    calibration: Calibration
    length_correlation: float | None
    agreement: float | None
    tie_aware_agreement: float | None
    criteria: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


def train_judges(
    folder: Path,
    rankings: Sequence[RankedPrompt],
    reference: Sequence[Group],
    settings: RewardSettings,
    seed: int,
    progress: Progress,
    device: torch.device | str = "cpu",
    marked: Sequence[MarkedPrompt] = (),
) -> Judges:
    """Train both on `device` from the policy in `folder`; `reference` are samples to normalise on.
    The progress shown is the first's, which has more to learn from.
    """
    sides = sides_of(rankings, marked, settings)
    train_side, judge_side = sides["train"], sides["judge"]
    progress.stage("reward")

    # transformers loads one model at a time: threads would share what it patches meanwhile.
    weights = {name: settings.criteria[name] for name in settings.weighed_criteria}
    reward, judge = (
        RewardModel.start(folder, seed + n, settings.heads, weights).to(device) for n in (0, 1)
    )

    def fit(part: tuple[RewardModel, Sequence[RankedGroup], int, Report]) -> None:
        model, side, part_seed, report = part
        train(model, side, settings, part_seed, report)

    own = (reward, train_side, seed, progress.reporter(every=4))
    at_once(fit, [own, (judge, judge_side, seed + 1, _silent)])
    # The judge stays neutral: it would hold against a version that it says what is new.
    reward.pessimism = settings.pessimism
    for model in (reward, judge):
        model.normalise_on(reference)
    exams = _examine(reward, judge_side), _examine(judge, train_side)
    judges = _judges(reward, judge, exams, rankings)
    if not weights:
        return judges
    return replace(judges, criteria=criteria_told([(reward, judge_side), (judge, train_side)]))


def _judges(
    reward: RewardModel,
    judge: RewardModel,
    exams: tuple[Exam, Exam],
    rankings: Sequence[RankedPrompt],
) -> Judges:
    """Both models with what their exams, and the rankings themselves, say of them."""
    seen_by_reward, seen_by_judge = (
        [pair for ranking, scores in exam for pair in judged_pairs(ranking, scores)]
        + across_prompts(exam)
        for exam in exams
    )
    sides = [[pair for r, scores in exam for pair in compared(r, scores)] for exam in exams]
    widths = [tie_width(side) for side in reversed(sides)]
    return Judges(
        reward,
        judge,
        log_odds_scale(seen_by_judge),
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
    for model, groups in exams:
        rated = [group for group in groups if group.criteria]
        foretold += [found_KC.cpu() for found_KC in model.by_criterion([g.group for g in rated])]
        given += [group.given_KC(names) for group in rated]
    return correlations(names, torch.cat(foretold), torch.cat([foretold[0], *given]))
