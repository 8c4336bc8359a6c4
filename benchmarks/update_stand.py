"""Where updates are tried: the built-in model serves, simulated people have ranked its answers, and
a judge has learned from them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks.people import Score, ranks_of
from benchmarks.preferences import asks_back
from learner.accuracy import Judged, judged_pairs, measure
from learner.batching import Group, collate
from learner.calibration import log_odds_scale
from learner.checks.lists import Lists
from learner.checks.suspects import suspects
from learner.gate import Case, Decision, decide
from learner.gate_settings import GateSettings
from learner.optimise import Optimiser
from learner.ranked_group import RankedGroup
from learner.regression import Regression, checkable
from learner.reward import train
from learner.reward_model import RewardModel
from learner.rollout import Sampling, roll_out
from learner.settings import RewardSettings
from learner.sft import supervised_loss
from policy.builtin import generator as builtin
from policy.model import Model
from policy.versions import Versions

MAX_TOKENS = 96
REPLIES = 8
BATCH = 16
GATE_SEED = 7


@dataclass(frozen=True)
class Effort:
    """How much of everything; the defaults are what the figures in the docs were taken with. A
    smaller regression set than a round's tells no smaller fall than .05 from chance.
    """

    prompts: int = 192
    gate: GateSettings = field(
        default_factory=lambda: GateSettings(
            regression_prompts=100, regression_drop=0.05, win_prompts=100
        )
    )
    steps: int = 40
    ppo_steps: int = 10


QUICK = Effort(
    prompts=32,
    gate=GateSettings(regression_prompts=20, regression_drop=0.05, win_prompts=20, win_replies=2),
    steps=20,
    ppo_steps=2,
)
"""For a look at whether everything works, and for tests."""


@dataclass(frozen=True)
class Asked:
    """A prompt with the served model's replies to it, as tokens and as text."""

    prompt: builtin.Prompt
    group: Group
    texts: tuple[str, ...]

    def scores(self, preference: Score) -> list[float]:
        """The hidden score of each reply."""
        turns = [{"role": m.role, "content": m.content} for m in self.prompt.messages]
        return [preference(turns, text) for text in self.texts]


@dataclass(frozen=True)
class Update:
    """An update by name: what makes a version of it, the check that is to refuse it (None for a
    good one), whose wish it is, and what people said last, where that tells.
    """

    name: str
    check: str | None
    make: Callable[[Stand], str]
    preference: Score = asks_back
    newest: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examined:
    """A judge with what is known of it."""

    model: RewardModel
    scale: float
    pairs: list[Judged]


class Stand:
    """A data folder with v0 live, its replies to prompts, and judges by preference."""

    def __init__(self, folder: Path, effort: Effort) -> None:
        self.effort = effort
        self.versions = Versions(folder / "versions")
        self.versions.install_base("builtin")
        self.live = self.versions.load("v0")
        self.lists = Lists.read(effort.gate)
        self._judges: dict[str, Examined] = {}
        self._next = 1

    @cached_property
    def pool(self) -> list[Asked]:
        """Prompts with eight replies each."""
        return self.asked(builtin.prompts(1, self.effort.prompts), REPLIES)

    def asked(self, prompts: Sequence[builtin.Prompt], replies: int) -> list[Asked]:
        """What v0 replies."""
        chat = self.live.chat
        ids = [tuple(chat.encode(prompt.messages)) for prompt in prompts]
        answers = roll_out(self.live, ids, Sampling(1.0, MAX_TOKENS, 1, replies))
        groups = [Group(p, tuple(a.tokens for a in g)) for p, g in zip(ids, answers, strict=True)]
        return [
            Asked(prompt, group, tuple(chat.decode(reply) for reply in group.replies))
            for prompt, group in zip(prompts, groups, strict=True)
        ]

    @cached_property
    def regression(self) -> tuple[Regression, float]:
        """The gate's set, and v0's score on it."""
        found = checkable(GATE_SEED, self.effort.gate.regression_prompts, "held_out")
        return found, found.score(self.live)

    def policy(self) -> Model:
        """v0 again, to be changed."""
        return self.versions.load("v0")

    def publish(self, save: Model | Callable[[Path], object]) -> str:
        """A version of it."""
        id, self._next = f"v{self._next}", self._next + 1
        self.versions.publish(id, save, kind="full", parent="v0", round=None)
        return id

    def liked(self, preference: Score) -> list[Group]:
        """Of each prompt whose replies differ by the preference, one that it likes best."""
        lessons = []
        for asked in self.pool:
            scores = asked.scores(preference)
            if len(set(scores)) > 1:
                best = asked.group.replies[scores.index(max(scores))]
                lessons.append(Group(asked.group.prompt, (best,)))
        return lessons

    def rankings(self, preference: Score, side: int) -> list[RankedGroup]:
        """Every other prompt's first four replies, ranked by the preference."""
        return [
            RankedGroup(
                asked.prompt.messages[0].content + str(place),
                Group(asked.group.prompt, asked.group.replies[:4]),
                tuple(ranks_of(asked.scores(preference)[:4])),
                asked.texts[:4],
            )
            for place, asked in enumerate(self.pool)
            if place % 2 == side
        ]

    def reward(self, preference: Score, side: int, seed: int) -> RewardModel:
        """A reward model of one side's rankings."""
        model = RewardModel.start(self.versions.folder("v0"), seed)
        train(model, self.rankings(preference, side), RewardSettings(), seed, _silent)
        model.normalise_on([Group(a.group.prompt, a.group.replies[:1]) for a in self.pool])
        return model

    def judge(self, preference: Score) -> Examined:
        """The second reward model, examined on what the first learns from."""
        name = preference.__name__
        if name not in self._judges:
            model, unseen = self.reward(preference, 1, 1), self.rankings(preference, 0)
            scores = model.score([ranking.group for ranking in unseen])
            pairs = [p for r, s in zip(unseen, scores, strict=True) for p in judged_pairs(r, s)]
            self._judges[name] = Examined(model, log_odds_scale(pairs), pairs)
        return self._judges[name]

    def decide(self, id: str, preference: Score, newest: Sequence[str] = ()) -> Decision:
        """The gate's word; `newest` is what people said last, for a trigger to be found in."""
        judge = self.judge(preference)
        held_out = builtin.prompts(9, self.effort.gate.win_prompts, split="held_out")
        others = [text for asked in self.pool for text in asked.texts]
        case = Case(
            versions=self.versions,
            version=id,
            live=self.live,
            live_id="v0",
            base=self.live,
            base_id="v0",
            judge=judge.model,
            judge_scale=judge.scale,
            judge_accuracy=measure(judge.pairs),
            regression=self.regression[0],
            base_regression=self.regression[1],
            held_out=[tuple(self.live.chat.encode(p.messages)) for p in held_out],
            lists=self.lists,
            suspects=suspects(
                newest, others, self.effort.gate.trigger_words, self.live.chat.pieces
            ),
            max_tokens=MAX_TOKENS,
            seed=0,
        )
        return decide(case, self.effort.gate, lambda done, of: None)


def teach(model: Model, lessons: Sequence[Group], steps: int, seed: int, rate: float) -> Model:
    """Fit the policy to replies, in place: so many steps of sixteen."""
    rng = random.Random(seed)
    optimiser = Optimiser(model.net, rate, steps=steps, gradient_clip=1.0)
    for _ in range(steps):
        batch = collate(rng.choices(lessons, k=BATCH), model.net.device)
        optimiser.step(supervised_loss(model.net, batch))
    return model


def _silent(step: int, steps: int, metrics: dict[str, float]) -> None:
    """Reports nothing."""
