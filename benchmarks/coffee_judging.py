"""Coffee orders, second: a reward model learns which turns people found good, on v1's trunk, and a
bag of words beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.area import Area, area
from benchmarks.bag_of_words import BagOfWords
from benchmarks.real_data import Judgement, coffee_judgements, held_out
from benchmarks.workshop import Workshop, prompt_ids, reply_ids, table
from learner.batching import Group
from learner.ranked_group import RankedGroup
from learner.reward import train
from learner.reward_model import RewardModel
from learner.settings import RewardSettings
from policy.chat import Chat

SETTINGS = RewardSettings(kind="binary", rankings_per_step=8, learning_rate=3e-4)
"""Judgements are single replies, a step of four would be mostly good ones. Rate and passes were
chosen on two further splits, 5 and 6, where the areas after each half pass were still rising."""

CONTEXT = 160
"""Tokens of a prompt, its last ones, that are read: most of what counts was said last."""


def judging(shop: Workshop, split: int) -> dict[str, Any]:
    """Both on the contexts that this split holds out. The first split's model is kept, as r1."""
    judgements = coffee_judgements(shop.data)
    learned, unseen = (
        [one for one in judgements if held_out(one.key, split) == side] for side in (False, True)
    )
    chat = shop.base.chat
    model = reward_model(shop, [group_of(one, chat) for one in learned], split)
    if split == 0:
        shop.versions.publish("r1", model.save, kind="reward", parent="v1", round=None)
    bag = BagOfWords.fit(learned)
    return {
        "split": split,
        "judged": len(unseen),
        "bad": sum(not one.good for one in unseen),
        "model": asdict(area_of(scores_of(model, unseen, chat), unseen)),
        "bag": asdict(area_of(bag.scores(unseen), unseen)),
    }


def reward_model(shop: Workshop, learned: Sequence[RankedGroup], split: int) -> RewardModel:
    """Trained on v1's trunk."""
    model = RewardModel.start(shop.versions.folder("v1"), split)
    settings = SETTINGS.model_copy(update={"epochs": shop.effort.reward_epochs})
    train(model, learned, settings, split, shop.reporter(f"reward model of split {split}"))
    return model


def scores_of(model: RewardModel, unseen: Sequence[Judgement], chat: Chat) -> list[float]:
    """One for each judged reply."""
    return [score for [score] in model.score([group_of(one, chat).group for one in unseen])]


def area_of(scores: Sequence[float], unseen: Sequence[Judgement]) -> Area:
    """Of the scores of these replies, one for each."""
    return area(scores, [one.good for one in unseen], [one.key for one in unseen])


def group_of(one: Judgement, chat: Chat) -> RankedGroup:
    """A judgement as an element of the loss. Those of one context are an element each: a context
    whose many replies are nearly all bad would count as little as one with a single good one.
    """
    prompt, reply = prompt_ids(chat, one.context)[-CONTEXT:], reply_ids(chat, one.reply)
    return RankedGroup(one.key, Group(prompt, (reply,)), (1,), (one.reply,), thumbs=(one.good,))


def splits_table(splits: Sequence[dict[str, Any]]) -> str:
    """Areas with their 95 % intervals, split by split, and the means."""
    rows = [
        [
            str(one["split"]),
            f"{one['judged']} ({one['bad']} bad)",
            *(
                f"{of['auc']:.3f} ({of['low']:.3f} to {of['high']:.3f})"
                for of in (one["model"], one["bag"])
            ),
        ]
        for one in splits
    ]
    means = [f"{statistics.fmean(one[of]['auc'] for one in splits):.3f}" for of in ("model", "bag")]
    heads = ("split", "unseen judgements", "reward model", "bag of words")
    return table(heads, [*rows, ["mean", "", *means]])
