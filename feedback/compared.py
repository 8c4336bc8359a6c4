"""Versions as people compared them: from rankings whose answers come from several. Pure.

A ranking of K answers is K (K - 1) / 2 pairs, but only K - 1 comparisons' worth of evidence: each
pair weighs 2 / K, or intervals would be too narrow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import pstdev

from .preferences import Answer, RankedPrompt
from .strengths import Comparison, Estimate, Strengths, fit

STYLE = ("length", "lists", "headings")
"""What is held constant. Of length the share by which two texts differ, as of the counts of list
items and of headings, each with one added, so that none is divided by 0."""


@dataclass(frozen=True)
class Compared:
    """A version; `strength` is the log-odds of beating the baseline where nothing is tied. Wins,
    losses and ties count pairs with other versions.
    """

    version: str
    strength: Estimate
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True)
class Comparisons:
    """All versions, strongest first; what a deviation of each part of style adds to the odds, and
    the tendency to tie. Without any comparison of versions there are none. `found` has them in the
    order of `names`.
    """

    baseline: str | None
    versions: tuple[Compared, ...]
    style: dict[str, Estimate]
    tie: Estimate | None
    rankings: int
    pairs: int
    names: tuple[str, ...] = ()
    found: Strengths | None = None

    def over(self, version: str, other: str) -> Estimate | None:
        """How much stronger a version is than another; None where nobody has compared either with
        anything.
        """
        if self.found is None or version not in self.names or other not in self.names:
            return None
        return self.found.over(self.names.index(version), self.names.index(other))

    def pairs_of(self, version: str) -> int:
        """How many pairs of its answers with other versions' there are."""
        return sum(v.wins + v.losses + v.ties for v in self.versions if v.version == version)


def compare(rankings: Iterable[RankedPrompt], baseline: str = "v0") -> Comparisons:
    """From these rankings, by their weights. The baseline is another one where nobody has seen it:
    the first by name.
    """
    several = [ranked for ranked in rankings if len(_versions(ranked)) > 1]
    names = sorted({version for ranked in several for version in _versions(ranked)})
    if not names:
        return Comparisons(None, (), {}, None, 0, 0)
    base = baseline if baseline in names else names[0]
    pairs = [pair for ranked in several for pair in _pairs(ranked, names)]
    found = fit(_standard(pairs), len(names), names.index(base))
    tallies = _tallies(pairs)
    versions = [
        Compared(name, strength, tallies[i, 1], tallies[i, -1], tallies[i, 0])
        for i, (name, strength) in enumerate(zip(names, found.strengths, strict=True))
    ]
    return Comparisons(
        base,
        tuple(sorted(versions, key=lambda one: -one.strength.value)),
        dict(zip(STYLE, found.style, strict=True)),
        found.tie,
        len(several),
        sum(pair.first != pair.second for pair in pairs),
        tuple(names),
        found,
    )


def _versions(ranked: RankedPrompt) -> set[str]:
    """Of the answers that have ranks."""
    return {a.version for a, rank in zip(ranked.answers, ranked.ranks, strict=True) if rank}


def _pairs(ranked: RankedPrompt, names: Sequence[str]) -> Iterator[Comparison]:
    """All pairs of ranked answers; two of one version tell of style and ties."""
    placed = [(a, r) for a, r in zip(ranked.answers, ranked.ranks, strict=True) if r is not None]
    for (one, rank), (other, its) in combinations(placed, 2):
        yield Comparison(
            names.index(one.version),
            names.index(other.version),
            (rank < its) - (rank > its),
            2 / len(placed) * ranked.weight,
            tuple(_share(a, b) for a, b in zip(style(one), style(other), strict=True)),
        )


def style(answer: Answer) -> tuple[float, float, float]:
    """Characters, list items and headings of its Markdown, each with one added."""
    text = answer.text
    items = re.findall(r"^\s*(?:[-*+]|\d+[.)])\s+\S", text, re.MULTILINE)
    headings = re.findall(r"^#{1,6}\s+\S", text, re.MULTILINE)
    return len(text) + 1.0, len(items) + 1.0, len(headings) + 1.0


def _share(one: float, other: float) -> float:
    return (one - other) / (one + other)


def _standard(pairs: Sequence[Comparison]) -> list[Comparison]:
    """Style in deviations, so that one prior is right for all; around 0, because which answer
    comes first is arbitrary.
    """
    spreads = [
        pstdev(values, mu=0.0) or 1.0 for values in zip(*(p.style for p in pairs), strict=True)
    ]
    return [
        replace(p, style=tuple(x / s for x, s in zip(p.style, spreads, strict=True))) for p in pairs
    ]


def _tallies(pairs: Iterable[Comparison]) -> Counter[tuple[int, int]]:
    """By version and outcome."""
    found: Counter[tuple[int, int]] = Counter()
    for pair in pairs:
        if pair.first != pair.second:
            found[pair.first, pair.outcome] += 1
            found[pair.second, -pair.outcome] += 1
    return found
