"""The two reward models of a round, each the other's examiner.

The first trains on the "train" conversations and rewards PPO; the second on the "judge" ones, which
PPO never sees, and judges the result. Each is scored on the other's conversations: together that is
an accuracy cross-validated by conversation over all rankings, for the price of one pass over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from feedback.preferences import RankedPrompt
from learner.accuracy import Accuracy, Judged, judged_pairs, measure
from learner.batching import Group
from learner.progress import Progress
from learner.reward import RankedGroup, RewardModel, train
from learner.settings import RewardSettings


@dataclass(frozen=True)
class Judges:
    """Both models, normalised; `held_out` is the first's accuracy on what it has not seen,
    `cross_validated` both together, over all rankings.
    """

    reward: RewardModel
    judge: RewardModel
    held_out: Accuracy
    cross_validated: Accuracy


def ranked_group(ranked: RankedPrompt) -> RankedGroup:
    """A stored ranking as tokens; unranked answers are left out."""
    placed = [(a, rank) for a, rank in zip(ranked.answers, ranked.ranks, strict=True) if rank]
    return RankedGroup(
        ranked.conversation_id,
        Group(ranked.prompt_ids, tuple(answer.token_ids for answer, _ in placed)),
        tuple(rank for _, rank in placed),
        tuple(answer.text for answer, _ in placed),
    )


def train_judges(
    folder: Path,
    rankings: Sequence[RankedPrompt],
    reference: Sequence[Group],
    settings: RewardSettings,
    seed: int,
    progress: Progress,
) -> Judges:
    """Train both from the policy in `folder`; `reference` are samples to normalise on."""
    sides = {
        split: [ranked_group(r) for r in rankings if r.split == split]
        for split in ("train", "judge")
    }
    models = {}
    for number, (split, name) in enumerate([("train", "reward"), ("judge", "judge")]):
        progress.stage(name)
        model = RewardModel.start(folder, seed + number)
        train(model, sides[split], settings, seed + number, progress.reporter(every=4))
        model.normalise_on(reference)
        models[split] = model
    seen_by_reward = _examine(models["train"], sides["judge"])
    seen_by_judge = _examine(models["judge"], sides["train"])
    return Judges(
        models["train"],
        models["judge"],
        measure(seen_by_reward),
        measure(seen_by_reward + seen_by_judge),
    )


def _examine(model: RewardModel, rankings: Sequence[RankedGroup]) -> list[Judged]:
    scores = model.score([r.group for r in rankings])
    scored = zip(rankings, scores, strict=True)
    return [pair for ranking, found in scored for pair in judged_pairs(ranking, found)]
