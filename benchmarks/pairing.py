"""How many rankings does `server.pairing = "informative"` save the reward model?

    python -m benchmarks.pairing --preference FILE.py:function --out FOLDER

1. The built-in model answers its own prompts, eight times each.
2. People rank four answers of each of 32 prompts by a preference that nothing in the product knows,
   a tenth at random. A reward model of eight heads is trained on all that they have ranked, by the
   learner's own `train` on the policy's whole trunk; then they rank the next 32, and so on.
3. Which four: the first, or from the second round on those that the product's `most_disputed` takes
   by what the last model's heads say. Prompts, answers, people and seeds are the same.
4. After each round: how many pairs of held-out answers does it order as the preference does, each
   prompt's pairs together one element?

Results are kept in `--out`, and what is there is not run again. Knows no server and no database.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated

import typer

from benchmarks.people import People, load_preference
from benchmarks.product import Messages
from benchmarks.workshop import table
from feedback.pairing import most_disputed
from learner.batching import Group
from learner.parallel import use_threads
from learner.ranked_group import RankedGroup
from learner.reward import train
from learner.reward_model import RewardModel
from learner.rollout import Sampling, roll_out
from learner.settings import RewardSettings
from policy.builtin import generator as builtin
from policy.model import Model, load

WEIGHTS = Path(builtin.__file__).parent / "weights"
SHOWN, HEADS = 4, 8
SAME, INFORMATIVE = "same", "informative"


@dataclass(frozen=True)
class Effort:
    """How much of everything; the defaults are what figures are taken with."""

    rounds: int = 6
    rankings_per_round: int = 32
    drawn: int = 8
    held_out: int = 250
    max_tokens: int = 96


QUICK = Effort(rounds=2, rankings_per_round=4, drawn=5, held_out=8, max_tokens=16)
"""For a look at whether everything works; its figures mean nothing."""


@dataclass(frozen=True)
class Item:
    """A prompt and its answers, as text and as tokens."""

    messages: Messages
    texts: tuple[str, ...]
    group: Group

    def of(self, places: Sequence[int]) -> Item:
        """With these answers alone."""
        replies = tuple(self.group.replies[place] for place in places)
        texts = tuple(self.texts[place] for place in places)
        return Item(self.messages, texts, Group(self.group.prompt, replies))


class Bench:
    """One seed's prompts and answers, and people with one preference."""

    def __init__(self, folder: Path, effort: Effort, people: People, say: Callable[[str], None]):
        self.folder, self.effort, self.people, self.say = folder, effort, people, say
        model, seed = load(folder), people.seed
        self.items = answered(model, "train", seed, people.rankings, effort)
        self.held_out = answered(model, "held_out", seed, effort.held_out, effort)
        self.held_out = [item.of(range(SHOWN)) for item in self.held_out]
        self.say(f"seed {seed}: {len(self.items) + len(self.held_out)} prompts answered")

    def run(self, pairing: str) -> list[float]:
        """The accuracy after each round."""
        rankings: list[RankedGroup] = []
        found: list[float] = []
        model: RewardModel | None = None
        for number in range(self.effort.rounds):
            shown = self._shown(number, None if pairing == SAME else model)
            rankings += [self._ranked(len(rankings) + i, item) for i, item in enumerate(shown)]
            model = self._trained(rankings)
            found.append(self._accuracy(model))
            self.say(
                f"{pairing}, seed {self.people.seed}: {len(rankings)} rankings, {found[-1]:.3f}"
            )
        return found

    def _shown(self, number: int, model: RewardModel | None) -> list[Item]:
        """A round's prompts, each with the answers that people are to see."""
        size = self.effort.rankings_per_round
        items = self.items[number * size : (number + 1) * size]
        if model is None:
            return [item.of(range(SHOWN)) for item in items]
        scores = model.heads_over([item.group for item in items])
        return [
            item.of(most_disputed(scores_KH.tolist(), SHOWN))
            for item, scores_KH in zip(items, scores, strict=True)
        ]

    def _ranked(self, number: int, item: Item) -> RankedGroup:
        ranks = self.people.ranks(number, item.messages, item.texts)
        return RankedGroup(str(number), item.group, tuple(ranks), item.texts)

    def _trained(self, rankings: Sequence[RankedGroup]) -> RewardModel:
        model = RewardModel.start(self.folder, self.people.seed, HEADS)
        settings = RewardSettings(heads=HEADS)
        train(model, rankings, settings, self.people.seed, lambda *_: None)
        return model

    def _accuracy(self, model: RewardModel) -> float:
        """Mean over prompts with an untied pair of the share that the model orders right."""
        shares = []
        scores = model.score([item.group for item in self.held_out])
        for item, given in zip(self.held_out, scores, strict=True):
            worth = [self.people.score(item.messages, text) for text in item.texts]
            pairs = [(i, j) for i, j in permutations(range(SHOWN), 2) if worth[i] > worth[j]]
            if pairs:
                shares.append(fmean(given[i] > given[j] for i, j in pairs))
        return fmean(shares) if shares else 0.5


def answered(model: Model, split: str, seed: int, count: int, effort: Effort) -> list[Item]:
    """So many of the built-in model's own prompts, with its answers."""
    prompts = builtin.prompts(seed, count, split=split)
    ids = [tuple(model.chat.encode(prompt.messages)) for prompt in prompts]
    drawn = roll_out(model, ids, Sampling(1.0, effort.max_tokens, seed, effort.drawn))
    return [
        Item(
            [{"role": m.role, "content": m.content} for m in prompt.messages],
            tuple(model.chat.decode(reply.tokens) for reply in replies),
            Group(own, tuple(reply.tokens for reply in replies)),
        )
        for prompt, own, replies in zip(prompts, ids, drawn, strict=True)
    ]


Curves = dict[str, list[list[float]]]
"""By pairing, each seed's accuracies after each round."""


def share_needed(curves: Curves, size: int) -> float | None:
    """Rankings at which the mean informative curve is where the mean other one ends, in rankings of
    the latter, between rounds by a straight line; None where it never is.
    """
    same, informative = (_mean(curves[name]) for name in (SAME, INFORMATIVE))
    aim, points = same[-1], [(0, 0.5), *((size * i, a) for i, a in enumerate(informative, 1))]
    for (before, low), (after, high) in pairwise(points):
        if low < aim <= high:
            at = before + (after - before) * (aim - low) / (high - low)
            return at / (size * len(same))
    return None


def _mean(runs: Sequence[Sequence[float]]) -> list[float]:
    return [fmean(column) for column in zip(*runs, strict=True)]


def rows_of(curves: Curves, size: int) -> list[list[str]]:
    """After each round both means, and the mean of the seeds' differences with its error."""
    rows = []
    for number, (same, informative) in enumerate(
        zip(*(list(zip(*curves[name], strict=True)) for name in (SAME, INFORMATIVE)), strict=True),
        1,
    ):
        gains = [b - a for a, b in zip(same, informative, strict=True)]
        error = f" ± {stdev(gains) / len(gains) ** 0.5:.3f}" if len(gains) > 1 else ""
        means = [f"{fmean(same):.3f}", f"{fmean(informative):.3f}"]
        rows.append([str(number * size), *means, f"{fmean(gains):+.3f}{error}"])
    return rows


def main(
    preference: Annotated[str, typer.Option(help="FILE.py:function, the hidden score.")],
    out: Annotated[Path, typer.Option(help="Where results are kept.")],
    seeds: Annotated[int, typer.Option(help="How many.", min=1)] = 5,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    quick: Annotated[bool, typer.Option(help="Whether it works, in a minute.")] = False,
) -> None:
    """Train on rankings of either kind, and say what the choice saves."""
    try:
        score = load_preference(preference)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    use_threads(threads)
    began, effort = time.monotonic(), QUICK if quick else Effort()
    out.mkdir(parents=True, exist_ok=True)

    def say(text: str) -> None:
        typer.echo(f"[{time.monotonic() - began:5.0f} s] {text}")

    size, curves = effort.rankings_per_round, Curves()
    for seed in range(seeds):
        people = People(score, effort.rounds * size, seed)
        bench: Bench | None = None
        for pairing in (SAME, INFORMATIVE):
            kind = "quick" if quick else "full"
            file = out / f"{score.__name__}-{pairing}-{kind}-{seed}.json"
            if not file.is_file():
                bench = bench or Bench(WEIGHTS, effort, people, say)
                file.write_text(json.dumps(bench.run(pairing)))
            curves.setdefault(pairing, []).append(json.loads(file.read_text()))
        typer.echo(table(("rankings", SAME, INFORMATIVE, "gain"), rows_of(curves, size)))
    typer.echo(json.dumps({"share_needed": share_needed(curves, size), **curves}))


if __name__ == "__main__":
    typer.run(main)
