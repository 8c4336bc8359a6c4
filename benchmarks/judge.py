"""Asks v0 and another version the same held-out prompts, over HTTP, and compares the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from benchmarks.judgement import WinRate, largest_gap, mean_kl
from benchmarks.people import Score
from benchmarks.product import Api, Messages, Reply
from benchmarks.rescoring import Rescorer
from policy.builtin import generator as builtin

In = TypeVar("In")
Out = TypeVar("Out")

IN_FLIGHT = 12
SAMPLES_AT_ONCE = 8  # of v0, for the ceiling
# Seeds of the prompts, and of the answers by their purpose: none is shared with the people.
PROMPT_SEED, GUARD_SEED, BASE_SEED, VERSION_SEED, CEILING_SEED = 7001, 7002, 11, 12, 13


@dataclass(frozen=True)
class Effort:
    """How much is asked before a figure counts."""

    untied: int = 200
    most_prompts: int = 2000
    guard: int = 2000
    """A difference of 1 in 100 from v0 is then 1.5 standard errors."""
    best_of: int = 64
    block: int = 100
    """Prompts asked before looking whether enough are untied."""


@dataclass(frozen=True)
class Look:
    """One version beside v0."""

    version: str
    win: WinRate
    guard: float
    kl: float
    replies: int
    worst_gap: float  # between stored and re-scored log-probabilities of its replies


@dataclass
class Judge:
    """Holds the prompts and v0's answers to them; each version is then asked once."""

    api: Api
    score: Score
    effort: Effort
    rescorer: Rescorer
    seed: int
    _base: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.prompts = _messages(
            builtin.prompts(PROMPT_SEED + self.seed, self.effort.most_prompts, split="held_out")
        )
        self.checkable = builtin.prompts(
            GUARD_SEED + self.seed, self.effort.guard, split="held_out", checkable=True
        )

    def look(self, version: str) -> Look:
        """Win rate, guard and KL of a version against v0."""
        replies, win = self._win_rate(version)
        details = self.details([reply.candidate for reply in replies])
        base = [self.rescorer.logps("v0", d["prompt_ids"], d["tokens"]) for d in details]
        kl = mean_kl([d["raw_logprobs"] for d in details], base)
        gap = max(map(self._gap, details))
        return Look(version, win, self.guard(version), kl, len(replies), gap)

    def guard(self, version: str) -> float:
        """The share of checkable prompts that the version gets right, decoding greedily."""
        replies = self._ask(version, _messages(self.checkable), temperature=0.0)
        right = [bool(p.right(r.text)) for p, r in zip(self.checkable, replies, strict=True)]
        return sum(right) / len(right)

    def ceiling(self) -> WinRate:
        """The best of many v0 samples against v0's one answer, on prompts until enough are untied.

        A prompt is asked again only until a sample beats that answer: then so does the best. An
        answer with the highest score that v0 had on any prompt, once equalled, is left at a tie.
        """
        outcomes: list[tuple[float, float]] = []
        while True:
            first = len(outcomes)
            numbers = range(first, min(first + self.effort.block, len(self.prompts)))
            self.ask_base(numbers.stop)
            mine = {number: self._score(number, self._base[number]) for number in numbers}
            best = self._best(mine)
            outcomes += [(best[number], mine[number]) for number in numbers]
            win = WinRate.of(outcomes)
            if win.untied >= self.effort.untied or numbers.stop == len(self.prompts):
                return win

    def _best(self, mine: dict[int, float]) -> dict[int, float]:
        """The best score of many v0 samples, by the prompt's number."""
        best = dict.fromkeys(mine, float("-inf"))
        top = max(self._score(number, reply) for number, reply in enumerate(self._base))
        for start in range(0, self.effort.best_of, SAMPLES_AT_ONCE):
            n = min(SAMPLES_AT_ONCE, self.effort.best_of - start)
            undecided = [i for i in mine if best[i] < mine[i] or best[i] == mine[i] < top]
            seed = CEILING_SEED + start
            fresh = in_parallel(partial(self.samples, n, seed), undecided)
            for number, replies in zip(undecided, fresh, strict=True):
                scores = [self._score(number, reply) for reply in replies]
                best[number] = max(best[number], *scores)
        return best

    def side_by_side(self, version: str, count: int) -> list[dict[str, str]]:
        """Held-out prompts of one turn, answered greedily by v0 and by the version."""
        prompts = [prompt for prompt in self.prompts if len(prompt) == 1][:count]
        before = self._ask("v0", prompts, temperature=0.0)
        after = self._ask(version, prompts, temperature=0.0)
        return [
            {"prompt": " / ".join(m["content"] for m in p), "v0": b.text, "live": a.text}
            for p, b, a in zip(prompts, before, after, strict=True)
        ]

    def worst_gap(self, candidates: Sequence[str]) -> float:
        """Re-scores answers with the weights of the version that each names."""
        details = self.details(candidates)
        by_version = sorted(details, key=lambda detail: str(detail["version"]))
        return max(map(self._gap, by_version), default=0.0)

    def details(self, candidates: Sequence[str]) -> list[dict[str, Any]]:
        """The record of each: token ids and log-probabilities among the rest."""
        return in_parallel(lambda id: self.api.get(f"/v1/candidates/{id}"), candidates)

    def _gap(self, detail: dict[str, Any]) -> float:
        again = self.rescorer.logps(detail["version"], detail["prompt_ids"], detail["tokens"])
        return largest_gap(detail["raw_logprobs"], again)

    def _win_rate(self, version: str) -> tuple[list[Reply], WinRate]:
        """More prompts until enough of them are untied, or there are no more."""
        replies: list[Reply] = []
        while True:
            first = len(replies)
            block = self.prompts[first : first + self.effort.block]
            replies += self._ask(version, block, seed=VERSION_SEED, first=first)
            self.ask_base(len(replies))
            win = WinRate.of(
                (self._score(number, reply), self._score(number, self._base[number]))
                for number, reply in enumerate(replies)
            )
            if win.untied >= self.effort.untied or len(replies) >= len(self.prompts):
                return replies, win

    def against_base(self, chosen: Mapping[int, Reply]) -> WinRate:
        """These answers, by their prompts' numbers, against v0's one answer to each."""
        self.ask_base(max(chosen) + 1)
        return WinRate.of(
            (self._score(number, reply), self._score(number, self._base[number]))
            for number, reply in chosen.items()
        )

    def _score(self, number: int, reply: Reply) -> float:
        return self.score(self.prompts[number], reply.text)

    def samples(self, n: int, seed: int, number: int) -> list[Reply]:
        """So many answers of v0 to the prompt of that number."""
        messages = self.prompts[number]
        return self.api.replies(messages, model="rankloop@v0", n=n, seed=_seed(seed, number))

    def ask_base(self, prompts: int) -> None:
        """v0's one answer to each of the first so many prompts, asked once in a run."""
        first = len(self._base)
        self._base += self._ask("v0", self.prompts[first:prompts], seed=BASE_SEED, first=first)

    def _ask(
        self,
        version: str,
        prompts: Sequence[Messages],
        *,
        temperature: float = 1.0,
        seed: int = 0,
        first: int = 0,
    ) -> list[Reply]:
        """One answer to each prompt; `first` is the number of the first, for its seed."""

        def ask(numbered: tuple[int, Messages]) -> Reply:
            number, messages = numbered
            model = f"rankloop@{version}"
            return self.api.replies(
                messages, model=model, temperature=temperature, seed=_seed(seed, number)
            )[0]

        return in_parallel(ask, enumerate(prompts, first))


def in_parallel(call: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
    """A few requests at a time, answers in the order of the items."""
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        return list(pool.map(call, items))


def _seed(purpose: int, number: int) -> int:
    return purpose * 1_000_003 + number


def _messages(prompts: Iterable[builtin.Prompt]) -> list[Messages]:
    return [[{"role": m.role, "content": m.content} for m in p.messages] for p in prompts]
