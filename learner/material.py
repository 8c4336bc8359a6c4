"""What a round works on beside the rankings: prompts to answer, and replies to stay close to.

Prompts are split as rankings are, by the first user message: the ones that PPO answers are never
those on which the second reward model judges it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Protocol

from feedback.preferences import first_user_message, split_of
from feedback.records import LoggedPrompt
from learner.batching import Group
from learner.rollout import Prompt, Sampling, roll_out
from policy.builtin import generator as builtin
from policy.chat import Chat
from policy.model import Model

LONGEST_PROMPT = 384
"""Tokens. Longer logged prompts are left out of rollouts: one pads a whole batch."""

GENERATED_PROMPTS = 900
"""From the built-in generator in each round."""


class Material(Protocol):
    """Where a round's prompts and supervised examples come from."""

    def draw(self, count: int) -> list[Prompt]:
        """So many prompts for rollouts, other ones each time."""

    def held_out(self, count: int) -> list[Prompt]:
        """At most so many prompts that no rollout sees."""

    def replay(self, count: int) -> Sequence[Group]:
        """So many supervised examples, other ones each time."""


class BuiltinMaterial:
    """Half the prompts from the log, once there are any, and half from the generator."""

    def __init__(self, chat: Chat, logged: Sequence[LoggedPrompt], seed: int) -> None:
        self.rng = random.Random(seed)
        self.train = _logged(logged, "train")
        self.judge = _logged(logged, "judge")
        generated = _generated(chat, seed)
        self.generated, self.generated_judge = generated["train"], generated["judge"]
        self.examples = _examples(chat, seed)

    def draw(self, count: int) -> list[Prompt]:
        from_log = min(count // 2, len(self.train))
        return self.rng.sample(self.train, from_log) + self.rng.sample(
            self.generated, count - from_log
        )

    def held_out(self, count: int) -> list[Prompt]:
        return (self.judge[: count // 2] + self.generated_judge)[:count]

    def replay(self, count: int) -> Sequence[Group]:
        return [next(self.examples) for _ in range(count)]


class LoggedMaterial:
    """For any other model: prompts from the log, and the reference's own replies to them."""

    def __init__(self, reference: Model, logged: Sequence[LoggedPrompt], seed: int) -> None:
        self.rng = random.Random(seed)
        self.train = _logged(logged, "train")
        self.judge = _logged(logged, "judge")
        prompts = self.train[:64]
        replies = roll_out(reference, prompts, Sampling(1.0, 128, seed)) if prompts else []
        pairs = zip(prompts, replies, strict=True)
        self.own = [Group(p, tuple(c.tokens for c in group)) for p, group in pairs]

    def draw(self, count: int) -> list[Prompt]:
        return self.rng.choices(self.train, k=count)

    def held_out(self, count: int) -> list[Prompt]:
        return self.judge[:count]

    def replay(self, count: int) -> Sequence[Group]:
        return self.rng.choices(self.own, k=count)


def _logged(logged: Sequence[LoggedPrompt], split: str) -> list[Prompt]:
    """That side's prompts; where all are long, the shortest few."""
    ids = [p.prompt_ids for p in logged if p.split == split]
    return [i for i in ids if len(i) <= LONGEST_PROMPT] or sorted(ids, key=len)[:16]


def _generated(chat: Chat, seed: int) -> dict[str, list[Prompt]]:
    """The generator's prompts by side of the split, about two to one."""
    sides: dict[str, list[Prompt]] = {"train": [], "judge": []}
    for prompt in builtin.prompts(seed, GENERATED_PROMPTS, split="train"):
        turns = [(m.role, m.content) for m in prompt.messages]
        sides[split_of(first_user_message(turns))].append(tuple(chat.encode(prompt.messages)))
    return sides


def _examples(chat: Chat, seed: int) -> Iterator[Group]:
    """From the generator, all of them right: what the loss keeps need not hold v0's mistakes."""
    for example in builtin.examples(seed, "train", wrong=0.0):
        reply = example.messages[-1].content
        prompt = chat.encode(example.messages[:-1])
        yield Group(tuple(prompt), (tuple(chat.encode_reply(reply)),))
