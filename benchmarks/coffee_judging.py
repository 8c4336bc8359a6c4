"""Coffee orders, second: a reward model learns which turns people found good, on v1's trunk, and a
bag of words beside it.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.area import Area, area
from benchmarks.bag_of_words import BagOfWords
from benchmarks.real_data import Judgement, coffee_judgements, held_out
from benchmarks.workshop import Workshop, prompt_ids, reply_ids, table
from learner.batching import Group
from learner.reward import RankedGroup, RewardModel, train
from learner.settings import RewardSettings
from policy.chat import Chat


def judging(shop: Workshop, split: int) -> dict[str, Any]:
    """Both on the contexts that this split holds out. The first split's model is kept, as r1."""
    judgements = coffee_judgements(shop.data)
    learned, unseen = (
        [one for one in judgements if held_out(one.key, split) == side] for side in (False, True)
    )
    chat = shop.base.chat
    model = reward_model(shop, by_context(learned, chat), split)
    if split == 0:
        shop.versions.publish("r1", model.save, kind="reward", parent="v1", round=None)
    bag = BagOfWords.fit(learned)
    return {
        "split": split,
        "judged": len(unseen),
        "bad": sum(not one.good for one in unseen),
        "model": asdict(area_of(model, by_context(unseen, chat))),
        "bag": asdict(
            area(bag.scores(unseen), [one.good for one in unseen], [one.key for one in unseen])
        ),
    }


def reward_model(shop: Workshop, learned: Sequence[RankedGroup], split: int) -> RewardModel:
    """Trained on v1's trunk."""
    model = RewardModel.start(shop.versions.folder("v1"), split)
    settings = RewardSettings(kind="binary", epochs=shop.effort.reward_epochs)
    train(model, learned, settings, split, shop.reporter(f"reward model of split {split}"))
    return model


def area_of(model: RewardModel, unseen: Sequence[RankedGroup]) -> Area:
    """Of its scores of these replies."""
    scores = [score for found in model.score([g.group for g in unseen]) for score in found]
    good = [thumb for group in unseen for thumb in group.thumbs or ()]
    return area(scores, good, [group.conversation_id for group in unseen for _ in group.ranks])


def by_context(judgements: Sequence[Judgement], chat: Chat) -> list[RankedGroup]:
    """Judgements of the replies to one context are one element, which runs the context once."""
    together: dict[str, list[Judgement]] = defaultdict(list)
    for one in judgements:
        together[one.key].append(one)
    return [
        RankedGroup(
            key,
            Group(
                prompt_ids(chat, given[0].context),
                tuple(reply_ids(chat, one.reply) for one in given),
            ),
            (1,) * len(given),
            tuple(one.reply for one in given),
            thumbs=tuple(one.good for one in given),
        )
        for key, given in together.items()
    ]


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
