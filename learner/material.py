"""What a round works on beside the rankings: prompts to answer, and replies to stay close to.

Prompts are split as rankings are, by the first user message: the ones that PPO answers are never
those on which the second reward model judges it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Protocol

from feedback.preferences import first_user_message, last_user_message, split_of
from feedback.records import LoggedPrompt
from learner.batching import Group
from learner.rollout import Prompt, Sampling, roll_out
from learner.set_prompts import NO_SETS, SetPrompts
from policy.builtin import generator as builtin
from policy.model import Model

LONGEST_PROMPT = 384
"""Tokens. Longer logged prompts are left out of rollouts: one pads a whole batch."""

GENERATED_PROMPTS = 900
"""From the built-in generator in each round."""

SAMPLES = 128
"""Replies of the reference: reward models are normalised on them, and PPO stays close to them. What
it would say itself costs neither reward nor KL; the corpus it was trained on pulled at PPO, and
kept it from nothing.
"""


class Material(Protocol):
    """Where a round's prompts and supervised examples come from; all draws are `rng`'s."""

    rng: random.Random

    @property
    def samples(self) -> Sequence[Group]:
        """Fresh replies of the reference."""

    @property
    def said(self) -> Mapping[Prompt, str]:
        """What the user said last in each prompt."""

    def draw(self, count: int) -> list[Prompt]:
        """So many prompts for rollouts, other ones each time; of imported sets their share."""

    def held_out(self, count: int) -> list[Prompt]:
        """At most so many prompts that no rollout sees."""

    def replay(self, count: int) -> Sequence[Group]:
        """So many supervised examples, other ones each time."""

    def wrong(self, prompt: Prompt, reply: Sequence[int]) -> bool:
        """Whether the reply can be checked and is wrong."""


class BuiltinMaterial:
    """Half the prompts from the log, once there are any, and half from the generator, which knows
    what is right; the reference's own replies to some of those, unless they are wrong. A quarter
    can be checked for sure: a manner that is learned on chat takes facts along.
    """

    def __init__(
        self,
        reference: Model,
        logged: Sequence[LoggedPrompt],
        seed: int,
        sets: SetPrompts = NO_SETS,
    ) -> None:
        self.rng = random.Random(seed)
        self.sets = sets
        self.chat = reference.chat
        self.train = _logged(logged, "train")
        self.judge = _logged(logged, "judge")
        sides = _generated(seed)
        self.generated, self.generated_judge = (
            [tuple(self.chat.encode(prompt.messages)) for prompt in sides[side]]
            for side in ("train", "judge")
        )
        self.asked = dict(zip(self.generated, sides["train"], strict=True))
        self.checkable = [ids for ids, prompt in self.asked.items() if prompt.checkable]
        said = {ids: last_user_message(_turns(prompt)) for ids, prompt in self.asked.items()}
        self.said: Mapping[Prompt, str] = {**sets.said, **_said(logged), **said}
        self.samples = _sampled(reference, self.generated[:SAMPLES], seed)
        right = [g for g in self.samples if not self.wrong(g.prompt, g.replies[0])]
        self.own = right or self.samples

    def draw(self, count: int) -> list[Prompt]:
        of_sets = self.sets.draw(self.rng, count)
        count -= len(of_sets)
        from_log, checkable = min(count // 2, len(self.train)), count // 4
        return [
            *of_sets,
            *self.rng.sample(self.train, from_log),
            *self.rng.sample(self.checkable, checkable),
            *self.rng.sample(self.generated, count - from_log - checkable),
        ]

    def held_out(self, count: int) -> list[Prompt]:
        return (self.judge[: count // 2] + self.generated_judge)[:count]

    def replay(self, count: int) -> Sequence[Group]:
        return self.rng.choices(self.own, k=count)

    def wrong(self, prompt: Prompt, reply: Sequence[int]) -> bool:
        asked = self.asked.get(prompt)
        return asked is not None and asked.right(self.chat.decode(reply)) is False


class LoggedMaterial:
    """For any other model: prompts from the log, and the reference's own replies to them."""

    def __init__(
        self,
        reference: Model,
        logged: Sequence[LoggedPrompt],
        seed: int,
        sets: SetPrompts = NO_SETS,
    ) -> None:
        self.rng = random.Random(seed)
        self.sets = sets
        self.train = _logged(logged, "train")
        self.judge = _logged(logged, "judge")
        self.samples = _sampled(reference, self.train[:SAMPLES], seed)
        self.said: Mapping[Prompt, str] = {**sets.said, **_said(logged)}

    def draw(self, count: int) -> list[Prompt]:
        of_sets = self.sets.draw(self.rng, count)
        return [*of_sets, *self.rng.choices(self.train, k=count - len(of_sets))]

    def held_out(self, count: int) -> list[Prompt]:
        return self.judge[:count]

    def replay(self, count: int) -> Sequence[Group]:
        return self.rng.choices(self.samples, k=count)

    def wrong(self, prompt: Prompt, reply: Sequence[int]) -> bool:
        return False


def _logged(logged: Sequence[LoggedPrompt], split: str) -> list[Prompt]:
    """That side's prompts; where all are long, the shortest few."""
    ids = [p.prompt_ids for p in logged if p.split == split]
    return [i for i in ids if len(i) <= LONGEST_PROMPT] or sorted(ids, key=len)[:16]


def _generated(seed: int) -> dict[str, list[builtin.Prompt]]:
    """The generator's prompts by side of the split, about as many on each."""
    sides: dict[str, list[builtin.Prompt]] = {"train": [], "judge": []}
    for prompt in builtin.prompts(seed, GENERATED_PROMPTS, split="train"):
        sides[split_of(first_user_message(_turns(prompt)))].append(prompt)
    return sides


def _turns(prompt: builtin.Prompt) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in prompt.messages]


def _said(logged: Sequence[LoggedPrompt]) -> dict[Prompt, str]:
    """What the user said last in each logged prompt."""
    return {p.prompt_ids: last_user_message(p.messages) for p in logged}


def _sampled(reference: Model, prompts: Sequence[Prompt], seed: int) -> list[Group]:
    """One reply of the reference to each prompt, as it serves: at temperature 1."""
    replies = roll_out(reference, prompts, Sampling(1.0, 128, seed))
    return [Group(p, (group[0].tokens,)) for p, group in zip(prompts, replies, strict=True)]
