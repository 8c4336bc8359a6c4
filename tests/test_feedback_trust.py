"""feedback.trust: statistics of raters, beside the field's libraries."""

from __future__ import annotations

import random

import krippendorff
import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import OneCoinDawidSkene
from scipy.stats import kendalltau

from feedback.trust.bias import first_shown, longest
from feedback.trust.consistency import self_consistency
from feedback.trust.dawid_skene import one_coin
from feedback.trust.gold import Tally, on_gold
from feedback.trust.judgements import Judgement
from feedback.trust.kendall import tau_b, tau_with_others
from feedback.trust.krippendorff import alpha, alpha_of_ranks
from feedback.trust.pace import median_seconds


def judgement(
    ranks: tuple[int | None, ...], person: str = "ann", id: int = 1, **known: object
) -> Judgement:
    """Of the candidates a, b, c, ..., each one character longer than the one before."""
    candidates = tuple("abcdefgh"[: len(ranks)])
    lengths = tuple(range(1, len(ranks) + 1))
    return Judgement(id, person, candidates, ranks, lengths, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
def test_alpha_is_the_librarys(seed: int) -> None:
    """Ordinal, five people, a third of the values missing."""
    rng = random.Random(seed)
    table = [[rng.choice([1, 2, 3, 4, None, None]) for _ in range(30)] for _ in range(5)]
    ours = alpha([[v for v in unit if v is not None] for unit in zip(*table, strict=True)])
    theirs = krippendorff.alpha(
        reliability_data=np.array(table, dtype=float), level_of_measurement="ordinal"
    )
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_alpha_of_nothing_to_agree_on_is_none() -> None:
    """Nothing judged twice, and everything tied."""
    assert alpha([[1], [2]]) is None
    assert alpha([[1, 1], [1, 1]]) is None


def test_alpha_of_rankings_compares_those_of_the_same_answers() -> None:
    """Two alike: 1. Someone's ranking of other answers changes nothing."""
    same = [judgement((1, 2, 3), "ann"), judgement((1, 2, 3), "bob")]
    assert alpha_of_ranks([*same, judgement((2, 1), "eve")]) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(5))
def test_tau_b_is_the_librarys(seed: int) -> None:
    """Eight answers in four ranks, so that there are ties."""
    rng = random.Random(seed)
    one, other = ([rng.randint(1, 4) for _ in range(8)] for _ in range(2))
    assert tau_b(one, other) == pytest.approx(kendalltau(one, other).statistic, abs=1e-6)


def test_tau_with_others_is_a_mean_over_them() -> None:
    """Ann agrees with bob (1) and is reversed by eve (-1): 0. Who ties everything is left out."""
    said = [
        judgement((1, 2, 3), "ann"),
        judgement((1, 2, 3), "bob"),
        judgement((3, 2, 1), "eve"),
        judgement((1, 1, 1), "ivy"),
    ]
    assert tau_with_others(said) == {"ann": 0.0, "bob": 0.0, "eve": -1.0}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, at the library's calls
@pytest.mark.parametrize("seed", range(2))
def test_skills_are_the_librarys(seed: int) -> None:
    """Forty questions, six people of skills .55 to .95, each answering two thirds."""
    rng = random.Random(seed)
    votes: dict[str, dict[str, bool]] = {}
    for item in range(40):
        true = rng.random() < 0.5
        votes[str(item)] = {
            f"p{p}": true if rng.random() < 0.55 + 0.08 * p else not true
            for p in range(6)
            if rng.random() < 2 / 3 or p == item % 6
        }
    rows = [(item, p, said) for item, all_said in votes.items() for p, said in all_said.items()]
    frame = pd.DataFrame(rows, columns=["task", "worker", "label"])
    theirs = OneCoinDawidSkene(n_iter=100, tol=-1.0).fit(frame)
    ours = one_coin(votes)
    assert ours.skills == pytest.approx(theirs.skills_.to_dict(), abs=1e-6)
    assert theirs.probas_ is not None
    assert ours.yes == pytest.approx(theirs.probas_[True].to_dict(), abs=1e-6)


def test_nobody_asked_is_nobody_told() -> None:
    """No votes: no skills."""
    assert one_coin({}).skills == {}


def test_gold_counts_pairs_that_it_orders() -> None:
    """Gold 1 2 2 orders a-b and a-c; ranks 1 2 1 have the first right and tie the second: 1.5."""
    assert on_gold([judgement((1, 2, 1), gold=(1, 2, 2))]) == Tally(1.5, 2)


def test_asked_again_pairs_are_compared() -> None:
    """1 2 3, then 1 3 2: a-b and a-c are said again, b-c is turned round: 2 of 3."""
    first, again = judgement((1, 2, 3), id=1), judgement((1, 3, 2), id=2, earlier=(1, 2, 3))
    assert self_consistency([first, again]) == Tally(2.0, 3)


def test_seconds_are_a_median_of_those_known() -> None:
    """Of 2, 3 and 900 it is 3."""
    said = [judgement((1, 2), seconds=s) for s in (2.0, None, 900.0, 3.0)]
    assert median_seconds(said) == 3.0
    assert median_seconds([]) is None


def test_the_first_shown_is_counted_against_the_others() -> None:
    """c was shown first; it beats b, ties a and loses to nobody that is ranked: 1.5 of 2."""
    assert first_shown([judgement((1, 2, 1, None), shown=(2, 1, 0, 3))]) == Tally(1.5, 2)


def test_the_longest_is_counted_against_shorter_ones() -> None:
    """c is the longest; it loses to a and beats b: 1 of 2."""
    assert longest([judgement((1, 3, 2))]) == Tally(1.0, 2)
