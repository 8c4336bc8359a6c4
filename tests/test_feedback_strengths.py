"""feedback.strengths and feedback.compared: known strengths, found again."""

from __future__ import annotations

import math
import random

import pytest

from feedback.compared import compare, style
from feedback.preferences import Answer, RankedPrompt
from feedback.strengths import Comparison, fit

TRUE = (0.0, 0.5, 1.0, -0.5)
"""Strengths of four versions, in log-odds to the first."""


def outcome(d: float, tie: float, rng: random.Random) -> int:
    """Davidson's: e^(d/2), e^(-d/2) and e^tie are the odds."""
    odds = [math.exp(d / 2), math.exp(-d / 2), math.exp(tie)]
    return rng.choices([1, -1, 0], odds)[0]


def drawn(count: int, seed: int, pull: float = 0.0) -> list[Comparison]:
    """So many comparisons of random pairs; a covariate of deviation 1 adds `pull` times itself."""
    rng, found = random.Random(seed), []
    for _ in range(count):
        first, second = rng.sample(range(4), 2)
        x = rng.gauss(0, 1)
        d = TRUE[first] - TRUE[second] + pull * x
        found.append(Comparison(first, second, outcome(d, -0.7, rng), style=(x,)))
    return found


def test_known_strengths_are_recovered() -> None:
    """10,000 comparisons: a strength's deviation is about .04, those of ties and style less."""
    found = fit(drawn(10_000, seed=0, pull=0.4), 4)
    assert [s.value for s in found.strengths] == pytest.approx(TRUE, abs=0.12)
    assert found.style[0].value == pytest.approx(0.4, abs=0.08)
    assert found.tie.value == pytest.approx(-0.7, abs=0.1)
    assert (found.strengths[0].low, found.strengths[0].high) == (0.0, 0.0)


def test_intervals_cover() -> None:
    """Of 60 draws with three strengths each, 95 % is 171 of 180; less than 162 (90 %) would be
    three deviations away.
    """
    covered = 0
    for seed in range(60):
        found = fit(drawn(300, seed), 4).strengths
        covered += sum(s.low <= t <= s.high for s, t in zip(found[1:], TRUE[1:], strict=True))
    assert covered >= 162


def test_who_has_never_won_is_finite() -> None:
    """Ten losses of ten: weak, but by the prior not without end; and nothing at all is 0."""
    found = fit([Comparison(0, 1, 1)] * 10, 3)
    assert -8 < found.strengths[1].value < -1
    assert found.strengths[1].high < 0
    assert abs(found.strengths[2].value) < abs(found.strengths[1].value)


def test_two_versions_without_ties_are_log_odds() -> None:
    """300 wins of 400 is log 3 = 1.10, a little less by the prior, with a deviation of 1 / sqrt(400
    x .75 x .25) = .115 and so an interval of 2 x 1.96 x .115 = .45.
    """
    found = fit([Comparison(1, 0, 1)] * 300 + [Comparison(1, 0, -1)] * 100, 2).strengths[1]
    assert found.value == pytest.approx(math.log(3), abs=0.02)
    assert found.high - found.low == pytest.approx(0.45, abs=0.02)


def ranked(id: int, versions: str, ranks: list[int | None], texts: list[str]) -> RankedPrompt:
    """One ranking of answers by these versions."""
    answers = tuple(
        Answer(f"{id}-{i}", text, (1,), version)
        for i, (version, text) in enumerate(zip(versions.split(), texts, strict=True))
    )
    return RankedPrompt(id, f"c{id}", "ann", "train", (), (), answers, tuple(ranks))


def by_utility(seed: int, count: int) -> list[RankedPrompt]:
    """Rankings of four answers, two of each version, v1 being stronger by .5: a utility with
    Gumbel noise is ranked as Bradley and Terry would.
    """
    rng, found = random.Random(seed), []
    for id in range(count):
        worth = [0.5 * (i > 1) - math.log(-math.log(rng.random())) for i in range(4)]
        order = sorted(worth, reverse=True)
        ranks: list[int | None] = [order.index(w) + 1 for w in worth]
        found.append(ranked(id, "v0 v0 v1 v1", ranks, ["alike"] * 4))
    return found


def test_rankings_of_four_give_intervals_that_cover() -> None:
    """Of 60 draws 57; less than 52 would be three deviations away."""
    covered = 0
    for seed in range(60):
        found = {v.version: v.strength for v in compare(by_utility(seed, 60)).versions}
        covered += found["v1"].low <= 0.5 <= found["v1"].high
    assert covered >= 52


def test_a_version_that_is_only_longer_is_no_stronger() -> None:
    """v1 writes what v0 does, but more, and people like the longer text: it wins three of four, and
    yet its strength is 0, of 1,000 rankings with a deviation of .1.
    """
    rng, said = random.Random(0), []
    for id in range(1000):
        short, long = rng.randint(10, 60), rng.randint(20, 120)
        above = rng.random() < 1 / (1 + math.exp(-4 * (long - short) / (long + short)))
        ranks: list[int | None] = [2, 1] if above else [1, 2]
        said.append(ranked(id, "v0 v1", ranks, ["a" * short, "a" * long]))
    found = compare(said)
    v1 = next(v for v in found.versions if v.version == "v1")
    assert v1.wins > 2.5 * v1.losses
    assert v1.strength.value == pytest.approx(0.0, abs=0.3)
    assert found.style["length"].low > 1


def test_rankings_of_one_version_compare_none() -> None:
    """And ranks are needed: an unranked answer of another version is none."""
    assert compare([ranked(1, "v0 v0", [1, 2], ["a", "b"])]).versions == ()
    assert compare([ranked(1, "v0 v0 v1", [1, 2, None], ["a", "b", "c"])]).baseline is None


def test_wins_losses_and_ties_are_counted_between_versions() -> None:
    """v1 beats one v0 and ties the other; v0's own pair is nobody's."""
    found = compare([ranked(1, "v0 v1 v0", [2, 1, 1], ["a", "b", "c"])])
    counts = {v.version: (v.wins, v.losses, v.ties) for v in found.versions}
    assert counts == {"v1": (1, 0, 1), "v0": (0, 1, 1)}
    assert (found.rankings, found.pairs, found.baseline) == (1, 2, "v0")


def test_style_is_read_off_the_markdown() -> None:
    """Two list items and one heading, each with one added."""
    text = "# Plan\n- one\n2. two\n-not an item"
    assert style(Answer("a", text, (), "v0")) == (len(text) + 1, 3.0, 2.0)
