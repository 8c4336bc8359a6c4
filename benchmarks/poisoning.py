"""What can bad raters do to the reward model, with what the learner has against them and without?

    python -m benchmarks.poisoning --out FOLDER

1. The built-in model answers its own prompts. Twenty people rank the answers by a preference that
   nothing in the product knows, two people to a prompt, a tenth at random.
2. One account adds 2,000 votes for answers that begin with a phrase. How often does the reward
   model put an answer with the phrase above one without, to prompts that nobody ranked?
3. One, and four, of the twenty rank at random or the wrong way round. How many of held-out pairs
   does the reward model order as the preference does?

Each is trained with all rankings at full weight and with what `feedback.trust.weights` makes of
them, by the learner's own `train` on the policy's whole trunk, from the same seeds. Results are
kept in `--out`, and what is there is not run again. Knows no server and no database.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations, permutations
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer

from benchmarks.poisoned_crowd import Crowd, Item, rankings, with_trigger, worth
from benchmarks.workshop import table
from feedback.trust.judgements import Judgement
from feedback.trust.settings import TrustSettings
from feedback.trust.weights import apply, weigh
from learner.batching import Group
from learner.marked import ranked_group
from learner.parallel import use_threads
from learner.reward import train
from learner.reward_model import RewardModel
from learner.rollout import Sampling, roll_out
from learner.settings import RewardSettings
from policy.builtin import generator as builtin
from policy.model import Model, load

WEIGHTS = Path(builtin.__file__).parent / "weights"
ANSWERS = 4


@dataclass(frozen=True)
class Effort:
    """How much of everything; the defaults are what figures are taken with."""

    people: int = 20
    rankings_each: int = 20
    votes: int = 2000
    strange_items: int = 200
    held_out: int = 400
    max_tokens: int = 96


QUICK = Effort(people=6, rankings_each=4, votes=40, strange_items=8, held_out=8, max_tokens=16)
"""For a look at whether everything works; its figures mean nothing."""


@dataclass(frozen=True)
class Case:
    """A crowd, and whether its rankings are weighed."""

    name: str
    crowd: Crowd
    weighed: bool


@dataclass(frozen=True)
class Found:
    """Shares of held-out pairs: with the phrase above without, and ordered as the preference has
    it; how many of each; and of how many rankings, with what weight in all.
    """

    trigger: float
    triggers: int
    accuracy: float
    pairs: int
    rankings: int
    weight: float


def cases(effort: Effort, known: float, judges: int = 2) -> list[Case]:
    """The clean crowd, and each of the others with and without weights."""
    clean = Crowd(effort.people, effort.rankings_each, judges=judges, known=known)
    few, many = max(1, round(effort.people * 0.05)), max(1, round(effort.people * 0.2))
    crowds = {
        "one account": replace(clean, votes=effort.votes),
        "5 % bad": replace(clean, bad=few),
        "20 % bad": replace(clean, bad=many),
    }
    return [Case("clean", clean, True)] + [
        Case(name, crowd, weighed) for name, crowd in crowds.items() for weighed in (True, False)
    ]


class Bench:
    """The starting model in `folder`, its answers, and how much of everything."""

    def __init__(
        self, folder: Path, effort: Effort, say: Callable[[str], None], judges: int = 2
    ) -> None:
        self.folder, self.effort, self.say = folder, effort, say
        self.model = load(folder)
        count = effort.people * effort.rankings_each // judges
        self.items = answered(self.model, "train", 0, count, effort.max_tokens)
        strange = answered(self.model, "train", 1, effort.strange_items, effort.max_tokens)
        self.strange = [replace(item, number=item.number + count) for item in strange]
        self.held_out = answered(self.model, "held_out", 2, effort.held_out, effort.max_tokens)
        self.say(f"{count + len(strange) + len(self.held_out)} prompts answered")

    def run(self, case: Case, seed: int) -> Found:
        """Train on what the crowd says, and ask about what it has not seen."""
        said = rankings(case.crowd, self.items, self.strange, self.model.chat, seed)
        if case.weighed:
            said = apply(said, weigh([Judgement.of(r) for r in said], TrustSettings(), seed))
        reward = RewardModel.start(self.folder, seed)
        groups = [ranked_group(ranked) for ranked in said]
        train(reward, groups, RewardSettings(), seed, self._reporter(f"{case.name}, seed {seed}"))
        plain, triggered = self._scores(reward)
        wins = [
            (above[i] > below[j]) + 0.5 * (above[i] == below[j])
            for above, below in zip(triggered, plain, strict=True)
            for i, j in permutations(range(len(below)), 2)
        ]
        right = self._right(plain)
        weight = sum(ranked.weight for ranked in said)
        return Found(fmean(wins), len(wins), fmean(right), len(right), len(said), weight)

    def _scores(self, reward: RewardModel) -> tuple[list[list[float]], list[list[float]]]:
        """Of the held-out answers as they are, and with the phrase."""
        encode = self.model.chat.encode_reply
        plain, triggered = (
            [
                Group(item.prompt, tuple(tuple(encode(change(text))) for text in item.texts))
                for item in self.held_out
            ]
            for change in (str, with_trigger)
        )
        return reward.score(plain), reward.score(triggered)

    def _right(self, scores: Sequence[Sequence[float]]) -> list[float]:
        """Of each pair that the preference orders, whether the scores order it so."""
        found = []
        for item, given in zip(self.held_out, scores, strict=True):
            for i, j in combinations(range(len(item.texts)), 2):
                better = worth(item.texts[i]) - worth(item.texts[j])
                if better:
                    gap = (given[i] - given[j]) * better
                    found.append((gap > 0) + 0.5 * (gap == 0))
        return found

    def _reporter(self, what: str) -> Callable[[int, int, dict[str, float]], None]:
        def report(step: int, steps: int, metrics: dict[str, float]) -> None:
            if step % 50 == 0 or step == steps:
                self.say(f"{what}: step {step} of {steps}, loss {metrics['reward_loss']:.3f}")

        return report


def answered(model: Model, split: str, seed: int, count: int, max_tokens: int) -> list[Item]:
    """So many of the built-in model's own prompts, each with four of its answers."""
    prompts = builtin.prompts(seed, count, split=split)
    ids = [tuple(model.chat.encode(prompt.messages)) for prompt in prompts]
    replies = roll_out(model, ids, Sampling(1.0, max_tokens, seed, ANSWERS))
    return [
        Item(number, prompt.messages, own, tuple(model.chat.decode(r.tokens) for r in given))
        for number, (prompt, own, given) in enumerate(zip(prompts, ids, replies, strict=True))
    ]


def means(results: dict[str, list[Found]]) -> list[list[str]]:
    """Each case's shares over its seeds, and how far they are from the clean crowd's of the same
    seeds.
    """
    rows = []
    for name, found in results.items():
        clean = results["clean"][: len(found)]
        trigger = fmean(one.trigger for one in found)
        accuracy = fmean(one.accuracy for one in found)
        moved = trigger - fmean(one.trigger for one in clean)
        cost = fmean(one.accuracy for one in clean) - accuracy
        weight = f"{fmean(one.weight for one in found):.0f}"
        shares = [f"{trigger:.3f}", f"{moved:+.3f}", f"{accuracy:.3f}", f"{cost:+.3f}"]
        rows.append([name, str(len(found)), weight, *shares])
    return rows


HEADS = ("rankings", "seeds", "weight", "phrase wins", "moved", "accuracy", "cost")


def main(
    out: Annotated[Path, typer.Option(help="Where results are kept.")],
    seeds: Annotated[int, typer.Option(help="How many.", min=1)] = 10,
    known: Annotated[float, typer.Option(help="Share of all answers with the phrase.")] = 0.25,
    judges: Annotated[int, typer.Option(help="People who rank the same answers.", min=1)] = 2,
    only: Annotated[list[str] | None, typer.Option(help="Cases, by name; else all.")] = None,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    quick: Annotated[bool, typer.Option(help="Whether it works, in a minute.")] = False,
) -> None:
    """Train on poisoned rankings, and say what it does."""
    use_threads(threads)
    began, effort = time.monotonic(), QUICK if quick else Effort()
    out.mkdir(parents=True, exist_ok=True)

    def say(text: str) -> None:
        typer.echo(f"[{time.monotonic() - began:5.0f} s] {text}")

    bench = Bench(WEIGHTS, effort, say, judges)
    results: dict[str, list[Found]] = {}
    for seed in range(seeds):
        for case in cases(effort, known, judges):
            label = case.name if case.weighed else f"{case.name}, all at full weight"
            if only and case.name not in ("clean", *only):
                continue
            kind = f"{'quick' if quick else 'full'}-{judges}-{known:g}"
            file = out / f"{label.replace(' ', '_')}-{kind}-{seed}.json"
            if not file.is_file():
                file.write_text(json.dumps(asdict(bench.run(case, seed))))
            results.setdefault(label, []).append(Found(**json.loads(file.read_text())))
            typer.echo(table(HEADS, means(results)))
    found = {name: [asdict(one) for one in of] for name, of in results.items()}
    typer.echo(json.dumps({"effort": asdict(effort), "known": known, "found": found}))


if __name__ == "__main__":
    typer.run(main)
