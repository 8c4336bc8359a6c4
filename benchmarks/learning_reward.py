"""What a ranking costs as one element, beside its pairs as rows of their own; and how much of a
step's passes is padding.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from learner.batching import Group, Ids, passes
from learner.ranked_group import RankedGroup
from learner.reward import schedule, train
from learner.reward_model import RewardModel
from learner.rollout import Sampling, roll_out
from learner.settings import RewardSettings
from policy.builtin import generator as builtin
from policy.model import load

ANSWERS, PROMPT, REPLY = 4, 20, 32
REPEATS = 3


def comparisons_per_second(model: Path, rankings: int) -> dict[str, float]:
    """Of training, by how the pairs of four-way rankings come to the model; medians of repeats that
    take turns. A step holds as many comparisons either way.
    """
    vocabulary = RewardModel.start(model, 0).net.config.vocab_size
    ranked = made_rankings(rankings, vocabulary)
    pairs = [pair for ranking in ranked for pair in pairs_of(ranking)]
    ways: Mapping[str, tuple[Sequence[RankedGroup], int]] = {
        "rankings": (ranked, 4),
        "pairs": (pairs, 4 * ANSWERS * (ANSWERS - 1) // 2),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(REPEATS):
        for name, (given, size) in ways.items():
            reward = RewardModel.start(model, 0)
            settings = RewardSettings(epochs=1, rankings_per_step=size)
            epochs, _ = schedule(len(given), settings)
            began = time.perf_counter()
            train(reward, given, settings, 0, lambda step, steps, metrics: None)
            took[name].append((time.perf_counter() - began) / (epochs * len(pairs)))
    return {name: 1 / statistics.median(seconds) for name, seconds in took.items()}


def made_rankings(count: int, vocabulary: int) -> list[RankedGroup]:
    """Four random replies to a random prompt, in a random order without ties."""
    rng = random.Random(0)

    def ids(length: int) -> Ids:
        return tuple(rng.choices(range(8, vocabulary), k=length))

    return [
        RankedGroup(
            str(i),
            Group(ids(PROMPT), tuple(ids(REPLY) for _ in range(ANSWERS))),
            tuple(rng.sample(range(1, ANSWERS + 1), ANSWERS)),
            ("",) * ANSWERS,
        )
        for i in range(count)
    ]


def pairs_of(ranking: RankedGroup) -> list[RankedGroup]:
    """Each pair with its prompt, as a row of its own."""
    prompt, replies = ranking.group.prompt, ranking.group.replies
    return [
        RankedGroup(
            ranking.conversation_id,
            Group(prompt, (replies[i], replies[j])),
            (ranking.ranks[i], ranking.ranks[j]),
            ("", ""),
        )
        for i, j in combinations(range(len(replies)), 2)
    ]


def padding(prompts: int = 64) -> float:
    """The share of padding in the passes over four answers of the built-in model to each of its own
    prompts, which run from one turn to several.
    """
    model = load(Path(builtin.__file__).parent / "weights")
    asked = builtin.prompts(0, prompts, split="held_out")
    ids = [tuple(model.chat.encode(prompt.messages)) for prompt in asked]
    answers = roll_out(model, ids, Sampling(1.0, 96, 0, ANSWERS))
    lengths = [
        len(Group(prompt, tuple(a.tokens for a in group)))
        for prompt, group in zip(ids, answers, strict=True)
    ]
    runs = passes(lengths)
    return 1 - sum(lengths) / sum(max(lengths[i] for i in run) * len(run) for run in runs)
