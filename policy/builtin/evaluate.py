"""How good is the built-in model? `python -m policy.builtin.evaluate` prints its card's figures.

Prompts are held-out ones: other names, numbers and wordings than any training conversation's.
Replies come from the engine that serves people, in float32.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from pathlib import Path

import torch

from policy.builtin import style
from policy.builtin.generator import Prompt, prompts
from policy.builtin.train import WEIGHTS
from policy.engine import Engine, Request, generate
from policy.model import Model, load
from policy.params import SamplingParams

_MAX_TOKENS = 96


@dataclass(frozen=True)
class Replies:
    """What the model said to each prompt, `n` replies a prompt."""

    prompts: tuple[Prompt, ...]
    texts: tuple[tuple[str, ...], ...]

    @property
    def pairs(self) -> list[tuple[Prompt, str]]:
        """Every prompt with every reply to it."""
        return [
            (prompt, text)
            for prompt, texts in zip(self.prompts, self.texts, strict=True)
            for text in texts
        ]

    @property
    def on_topic(self) -> float:
        """Share of replies that are well-formed and to the point."""
        return _mean(prompt.on_topic(text) for prompt, text in self.pairs)

    @property
    def right(self) -> float:
        """Share of right replies among those to prompts that have a right answer."""
        return _mean(bool(prompt.right(text)) for prompt, text in self.pairs if prompt.checkable)

    @property
    def distinct(self) -> float:
        """Mean number of different replies to a prompt."""
        return _mean(len(set(texts)) for texts in self.texts)


@dataclass(frozen=True)
class Figures:
    """The card's promises: greedy over checkable prompts, the rest sampled over mixed ones."""

    greedy_on_topic: float
    greedy_right: float
    sampled_on_topic: float
    distinct_of_eight: float
    axes: Mapping[str, Mapping[str, float]]
    strongest_tie: tuple[str, float]  # the two axes that depend on each other most, and Cramer's V
    per_skill: Mapping[str, tuple[int, float, float]]  # prompts, on topic, right (greedy)


def reply(
    model: Model, asked: Sequence[Prompt], *, temperature: float, n: int = 1, seed: int = 0
) -> Replies:
    """Answers to all prompts by the serving engine."""
    engine = Engine(model.net, rows=64)
    requests = []
    for place, prompt in enumerate(asked):
        params = SamplingParams(
            temperature=temperature, max_tokens=_MAX_TOKENS, seed=seed * 100_000 + place
        )
        ids = tuple(model.chat.encode(prompt.messages))
        requests.append(Request(str(place), ids, params, n=n, stop_ids=model.chat.stop_ids))
    done = generate(engine, requests)
    texts = tuple(
        tuple(model.chat.decode(one.tokens) for one in done[request.id]) for request in requests
    )
    return Replies(tuple(asked), texts)


def evaluate(model: Model, *, count: int = 500, seed: int = 7) -> Figures:
    """All figures over `count` prompts each (a tenth of that for eight samples a prompt)."""
    greedy = reply(model, prompts(seed, count, "held_out", checkable=True), temperature=0.0)
    sampled = reply(model, prompts(seed + 1, count, "held_out"), temperature=1.0, n=2)
    eight = reply(model, prompts(seed + 2, max(count // 10, 20), "held_out"), temperature=1.0, n=8)
    return Figures(
        greedy.on_topic,
        greedy.right,
        sampled.on_topic,
        eight.distinct,
        axes(sampled.pairs),
        strongest_tie(sampled.pairs),
        _per_skill(greedy),
    )


def styles(pairs: Iterable[tuple[Prompt, str]]) -> list[dict[str, str]]:
    """Each reply's value on all eight axes."""
    found = []
    for prompt, text in pairs:
        manner = style.measure(prompt.messages[-1].content, text)
        right = {True: "right", False: "wrong", None: "neither"}[prompt.right(text)]
        found.append({axis: getattr(manner, axis) for axis in style.AXES} | {"rightness": right})
    return found


def axes(pairs: Sequence[tuple[Prompt, str]]) -> dict[str, dict[str, float]]:
    """How often each value of each axis occurs."""
    found = styles(pairs)
    return {
        axis: {
            value: count / len(found)
            for value, count in sorted(Counter(one[axis] for one in found).items())
        }
        for axis in found[0]
    }


def strongest_tie(pairs: Sequence[tuple[Prompt, str]]) -> tuple[str, float]:
    """The two axes that are most dependent, by Cramer's V: 0 is independent, 1 is the same."""
    found = styles(pairs)
    ties = {
        f"{a} ~ {b}": _cramers_v([(one[a], one[b]) for one in found])
        for a, b in combinations(found[0], 2)
    }
    strongest = max(ties, key=lambda tie: ties[tie])
    return strongest, ties[strongest]


def _cramers_v(pairs: Sequence[tuple[str, str]]) -> float:
    """sqrt(chi^2 / (N (k - 1))), k the smaller number of values (Cramer 1946)."""
    rows, columns, cells = (
        Counter(a for a, _ in pairs),
        Counter(b for _, b in pairs),
        Counter(pairs),
    )
    expected = {(a, b): rows[a] * columns[b] / len(pairs) for a in rows for b in columns}
    chi = sum((cells[cell] - count) ** 2 / count for cell, count in expected.items())
    smaller = min(len(rows), len(columns))
    return sqrt(chi / (len(pairs) * (smaller - 1))) if smaller > 1 else 0.0


def _per_skill(greedy: Replies) -> dict[str, tuple[int, float, float]]:
    found: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for prompt, text in greedy.pairs:
        found[prompt.skill].append((prompt.on_topic(text), bool(prompt.right(text))))
    return {
        skill: (len(rows), _mean(on for on, _ in rows), _mean(ok for _, ok in rows))
        for skill, rows in sorted(found.items())
    }


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def report(figures: Figures) -> str:
    """The figures as lines of text."""
    name, tie = figures.strongest_tie
    lines = [
        "                     on topic",
        f"greedy, checkable       {figures.greedy_on_topic:.3f}  right {figures.greedy_right:.3f}",
        f"temperature 1           {figures.sampled_on_topic:.3f}  "
        f"different of eight {figures.distinct_of_eight:.2f}",
        "",
        "axis (temperature 1)",
        *(
            f"  {axis:<12}" + "  ".join(f"{value} {share:.2f}" for value, share in shares.items())
            for axis, shares in figures.axes.items()
        ),
        f"  strongest tie: {name} {tie:.2f}",
        "",
        "skill (greedy)         n  on topic  right",
        *(
            f"  {skill:<18}{count:4}  {on:8.2f}  {ok:5.2f}"
            for skill, (count, on, ok) in figures.per_skill.items()
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure the built-in model on held-out prompts.")
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    figures = evaluate(load(options.folder), count=options.count, seed=options.seed)
    sys.stdout.write(report(figures) + "\n")


if __name__ == "__main__":
    main()
