"""Replies that people ranked: how often a reward model puts the better one first on prompts that it
has not seen, beside what preferring the longer reply would get.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.real_data import RankedReplies, held_out, ranked_replies
from benchmarks.workshop import Workshop, prompt_ids, reply_ids, table
from learner.accuracy import Accuracy, Judged, judged_pairs, measure
from learner.batching import Group
from learner.ranked_group import RankedGroup
from learner.reward import train
from learner.reward_model import RewardModel
from learner.settings import RewardSettings
from policy.chat import Chat


def cross_validated(shop: Workshop, source: str) -> dict[str, Any]:
    """Each fold's prompts judged by a model on the built-in trunk that learned from the others."""
    chat, folds = shop.base.chat, shop.effort.folds
    groups = [group_of(one, chat) for one in ranked_replies(shop.data, source)]
    pairs: list[Judged] = []
    for fold in range(folds):
        unseen = [group for group in groups if fold_of(group, folds) == fold]
        learned = [group for group in groups if fold_of(group, folds) != fold]
        if learned and unseen:
            pairs += judged_by_others(shop, source, fold, learned, unseen)
    return {
        "rankings": len(groups),
        "prompts": len({group.conversation_id for group in groups}),
        "model": asdict(measure(pairs)),
        "longer": asdict(of_length(groups)),
    }


def judged_by_others(
    shop: Workshop,
    source: str,
    fold: int,
    learned: Sequence[RankedGroup],
    unseen: Sequence[RankedGroup],
) -> list[Judged]:
    """The unseen rankings' untied pairs under a model that learned from the other ones."""
    model = RewardModel.start(shop.versions.folder("v0"), fold)
    settings = RewardSettings(epochs=shop.effort.ranking_epochs)
    train(model, learned, settings, fold, shop.reporter(f"{source}, fold {fold}"))
    scores = model.score([group.group for group in unseen], size=4)
    return [
        pair
        for ranking, given in zip(unseen, scores, strict=True)
        for pair in judged_pairs(ranking, given)
    ]


def fold_of(group: RankedGroup, folds: int) -> int:
    """By a hash of the prompt: the first of the folds that draws it, each from what is left."""
    for fold in range(folds - 1):
        if held_out(group.conversation_id, fold, 1 / (folds - fold)):
            return fold
    return folds - 1


def group_of(one: RankedReplies, chat: Chat) -> RankedGroup:
    """A ranking as tokens; all that begin with one prompt are one conversation."""
    return RankedGroup(
        one.key,
        Group(prompt_ids(chat, one.context), tuple(reply_ids(chat, text) for text in one.replies)),
        one.ranks,
        one.replies,
    )


def of_length(groups: Sequence[RankedGroup]) -> Accuracy:
    """What preferring the longer text gets."""
    return measure(
        [pair for group in groups for pair in judged_pairs(group, [len(t) for t in group.texts])]
    )


def rankings_table(found: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Accuracy on untied pairs, a ranking counted once, with 95 % intervals over prompts."""

    def shown(of: dict[str, Any]) -> str:
        return f"{of['accuracy']:.3f} ({of['low']:.3f} to {of['high']:.3f})"

    rows = [
        [
            source,
            str(figures["rankings"]),
            str(figures["prompts"]),
            shown(figures["model"]),
            shown(figures["longer"]),
        ]
        for source, figures in found
    ]
    return table(("source", "rankings", "prompts", "reward model", "longer wins"), rows)
