"""Coffee orders: fine-tune on whole dialogs, judge single turns, improve against that judge."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.area import area, auc
from benchmarks.bag_of_words import BagOfWords
from benchmarks.real_data import (
    Judgement,
    coffee_dialogs,
    coffee_judgements,
    held_out,
)
from benchmarks.workshop import Workshop, prompt_ids, reply_ids, table
from feedback.records import LoggedPrompt
from learner.batching import Group, collate
from learner.demonstration import of_conversation
from learner.material import LoggedMaterial
from learner.ppo import PPO
from learner.reward import RankedGroup, RewardModel, train
from learner.rewarder import Rewarder
from learner.rollout import Prompt, Sampling, roll_out
from learner.settings import PPOSettings, RewardSettings, SFTSettings
from learner.sft import Lessons, fine_tune
from learner.vocabulary import reply_logps_N
from policy.chat import Chat
from policy.engine import Completion
from policy.model import Model

SETTINGS = SFTSettings(own_samples=0.0, tokens_per_step=2048)
"""Nothing of the built-in model's own is mixed in: this model is to take orders and nothing else.
Steps are larger than for a few demonstrations, because there are thousands."""

DIALOGS_HELD_OUT = 0.1

PPO_SETTINGS = PPOSettings(kl_target=6.0, kl_coef=0.1, max_tokens=64)
"""A wider leash than a round's 2.5 nats: what people found good here is mostly another manner than
the dialogs'. Replies are one sentence."""


def fine_tuning(shop: Workshop) -> dict[str, Any]:
    """v1: the built-in weights fine-tuned on the dialogs; perplexity of held-out answers."""
    policy, dialogs = shop.base, coffee_dialogs(shop.data)
    train_side, held = (
        [
            piece
            for dialog in dialogs
            if held_out(dialog[0].content, 0, DIALOGS_HELD_OUT) == side
            for piece in of_conversation(policy.chat, dialog, policy.context)
        ]
        for side in (False, True)
    )
    settings = SETTINGS.model_copy(update={"epochs": shop.effort.passes})
    tuned = fine_tune(
        policy.net,
        Lessons(train_side, held),
        settings,
        0,
        lambda *step: shop.progress("fine-tuning", *step),
    )
    shop.versions.publish("v1", policy, kind="full", parent="v0", round=None)
    perplexities = [math.exp(loss) for loss in tuned.losses]
    return {
        "learned_from": len(train_side),
        "held_out": len(held),
        "perplexity_before": perplexities[0],
        "perplexity_after": perplexities[tuned.kept],
        "perplexities": perplexities,
    }


@dataclass(frozen=True)
class Split:
    """A split by context, as groups of replies to one context."""

    number: int
    learned: list[Judgement]
    unseen: list[Judgement]

    @classmethod
    def of(cls, judgements: Sequence[Judgement], number: int) -> Split:
        sides: dict[bool, list[Judgement]] = {False: [], True: []}
        for one in judgements:
            sides[held_out(one.key, number)].append(one)
        return cls(number, sides[False], sides[True])


def judging(shop: Workshop, number: int) -> dict[str, Any]:
    """A reward model on v1's trunk beside the bag of words, both on one split. That of the first
    split is kept, as r1.
    """
    chat, split = shop.base.chat, Split.of(coffee_judgements(shop.data), number)
    model = RewardModel.start(shop.versions.folder("v1"), number)
    settings = RewardSettings(kind="binary", epochs=shop.effort.reward_epochs)
    train(
        model,
        by_context(split.learned, chat),
        settings,
        number,
        lambda *step: shop.progress(f"reward model of split {number}", *step),
    )
    if number == 0:
        shop.versions.publish("r1", model.save, kind="reward", parent="v1", round=None)
    groups = by_context(split.unseen, chat)
    ours = [score for scores in model.score([g.group for g in groups]) for score in scores]
    good = [thumb for group in groups for thumb in group.thumbs or ()]
    keys = [group.conversation_id for group in groups for _ in group.ranks]
    found, seen = area(ours, good, keys), by_context(split.learned, chat)
    on_seen = [score for scores in model.score([g.group for g in seen[::4]]) for score in scores]
    bag = BagOfWords.fit(split.learned)
    theirs = bag.scores(split.unseen)
    of_bag = area(theirs, [one.good for one in split.unseen], [one.key for one in split.unseen])
    return {
        "split": number,
        "judged": len(good),
        "bad": len(good) - sum(good),
        "auc": found.auc,
        "low": found.low,
        "high": found.high,
        "auc_on_seen": auc(on_seen, [t for group in seen[::4] for t in group.thumbs or ()]),
        "bag_auc": of_bag.auc,
        "bag_low": of_bag.low,
        "bag_high": of_bag.high,
    }


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


def improvement(shop: Workshop) -> dict[str, Any]:
    """v2: PPO from v1 against r1, on contexts where somebody has just said something; reward and KL
    on the contexts that r1 did not see.
    """
    policy, reference = shop.versions.load("v1"), shop.versions.load("v1")
    reward = RewardModel.load(shop.versions.folder("r1"))
    asked = asked_prompts(coffee_judgements(shop.data), policy.chat)
    material = LoggedMaterial(reference, list(asked.values()), 0)
    reward.normalise_on(material.samples)
    settings = PPO_SETTINGS.model_copy(
        update={
            "steps": shop.effort.ppo_steps,
            "prompts_per_step": shop.effort.prompts_per_step,
        }
    )
    prompts = material.held_out(shop.effort.held_out_prompts)
    before = look(reference, prompts, reward)
    ppo = PPO(policy, reference.net, Rewarder(reward), material.replay, settings, 0)
    for step in range(1, settings.steps + 1):
        metrics = ppo.step(material.draw(settings.prompts_per_step))
        shown = {name: metrics[name] for name in ("reward", "kl", "reply_tokens", "stopped")}
        shop.progress("PPO", step, settings.steps, shown)
    after = look(policy, prompts, reward)
    shop.versions.publish("v2", policy, kind="full", parent="v1", round=None)
    deviation = statistics.stdev(before.rewards)
    return {
        "prompts": len(prompts),
        "reward_before": statistics.fmean(before.rewards),
        "reward_std_before": deviation,
        "reward_after": statistics.fmean(after.rewards),
        "reward_std_after": statistics.stdev(after.rewards),
        "rise_in_std": (statistics.fmean(after.rewards) - statistics.fmean(before.rewards))
        / deviation,
        "kl": kl_to(reference, after.replies),
        "tokens_before": statistics.fmean(len(r.tokens) for r in before.replies),
        "tokens_after": statistics.fmean(len(r.tokens) for r in after.replies),
        "examples": [
            {
                "asked": asked[prompt].messages[-1][1],
                "before": policy.chat.decode(old.tokens),
                "after": policy.chat.decode(new.tokens),
                "reward_before": old_reward,
                "reward_after": new_reward,
            }
            for prompt, old, new, old_reward, new_reward in zip(
                prompts, before.replies, after.replies, before.rewards, after.rewards, strict=True
            )
        ][: shop.effort.examples],
    }


def asked_prompts(judgements: Sequence[Judgement], chat: Chat) -> dict[Prompt, LoggedPrompt]:
    """Contexts whose last turn somebody said, on the side that the first split gives them."""
    found = {}
    for one in judgements:
        if one.context[-1].content == one.asked:
            ids = prompt_ids(chat, one.context)
            side = "judge" if held_out(one.key, 0) else "train"
            messages = tuple((turn.role, turn.content) for turn in one.context)
            found[ids] = LoggedPrompt(one.key, side, messages, ids)
    return found


@dataclass(frozen=True)
class Look:
    """A reply to each prompt, and what the reward model says of it."""

    replies: list[Completion]
    rewards: list[float]


def look(model: Model, prompts: Sequence[Prompt], reward: RewardModel) -> Look:
    """One reply to each, drawn at temperature 1 from the same seeds whatever the model."""
    how = Sampling(1.0, PPO_SETTINGS.max_tokens, 7)
    replies = [answers[0] for answers in roll_out(model, prompts, how)]
    groups = [Group(reply.prompt, (reply.tokens,)) for reply in replies]
    return Look(replies, [scores[0] for scores in reward.score(groups)])


@torch.no_grad()
def kl_to(reference: Model, replies: Sequence[Completion]) -> float:
    """Mean over replies of the summed log-ratio to the reference, in nats."""
    total = 0.0
    for start in range(0, len(replies), 32):
        part = replies[start : start + 32]
        batch = collate([Group(reply.prompt, (reply.tokens,)) for reply in part])
        logps = reply_logps_N(reference.net, batch, batch.targets_N)
        total += sum(sum(reply.raw_logps) for reply in part) - logps.sum().item()
    return total / len(replies)


def splits_table(splits: Sequence[dict[str, Any]]) -> str:
    """The reward model and the bag of words, split by split, and their means."""
    rows = [
        [
            str(one["split"]),
            f"{one['judged']} ({one['bad']} bad)",
            *(
                f"{one[f'{whose}auc']:.3f} ({one[f'{whose}low']:.3f} to {one[f'{whose}high']:.3f})"
                for whose in ("", "bag_")
            ),
        ]
        for one in splits
    ]
    means = [f"{statistics.fmean(one[name] for one in splits):.3f}" for name in ("auc", "bag_auc")]
    heads = ("split", "unseen judgements", "reward model", "bag of words")
    return table(heads, [*rows, ["mean", "", *means]])
