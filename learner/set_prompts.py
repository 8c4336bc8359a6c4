"""Rollouts from imported prompt sets: the share of each that is set, whatever people ask."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from feedback.preferences import last_user_message
from feedback.records import LoggedPrompt, Reason
from learner.rollout import Prompt


@dataclass(frozen=True)
class SetPrompts:
    """The prompts of each set that may be learned from, how much of a step is drawn of it, and what
    the user said last in each prompt.
    """

    prompts: Mapping[str, Sequence[Prompt]] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    said: Mapping[Prompt, str] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Sequence[LoggedPrompt], shares: Mapping[str, float]) -> SetPrompts:
        """Those on the side of the split that rounds learn from."""
        train = [prompt for prompt in found if prompt.split == "train"]
        by_set = {name: [p.prompt_ids for p in train if p.set_name == name] for name in shares}
        said = {prompt.prompt_ids: last_user_message(prompt.messages) for prompt in train}
        return cls(by_set, shares, said)

    def draw(self, rng: random.Random, count: int) -> list[Prompt]:
        """Of `count` prompts those that are the sets'. A set's part of a prompt is drawn by chance:
        a tenth of four is one in two steps or three. A set without prompts leaves its part to what
        else there is.
        """
        drawn: list[Prompt] = []
        for name, share in self.shares.items():
            if self.prompts[name]:
                whole, part = divmod(share * count, 1)
                many = int(whole) + (rng.random() < part)
                drawn += rng.choices(self.prompts[name], k=min(many, count - len(drawn)))
        return drawn

    def note(self) -> Reason | None:
        """Which sets there is nothing to draw from."""
        empty = [name for name, prompts in self.prompts.items() if not prompts]
        if not empty:
            return None
        names = ", ".join(map(repr, empty))
        text = (
            f"No prompt to learn from in {names} (learner.ppo.prompt_sets): import some by that "
            "name; their part went to what people asked."
        )
        return Reason("prompt_sets", True, float(len(empty)), None, text)


NO_SETS = SetPrompts()
