"""Which answers of a prompt are worth a ranking."""

from __future__ import annotations

from itertools import combinations
from random import Random
from statistics import variance

from feedback.pairing import most_disputed


def test_the_pair_of_which_heads_think_most_unlike_comes_first() -> None:
    """Two heads. Of answers 1 and 2 one says +2, the other -2: the variance of 2 and -2 is 8. With
    answer 0, which both call 5, either is disputed by 2: a gap that all agree about is none.
    """
    scores_KH = [[5.0, 5.0], [1.0, -1.0], [-1.0, 1.0], [5.1, 5.1]]
    assert most_disputed(scores_KH, 2) == [1, 2]
    assert most_disputed(scores_KH, 3) == [0, 1, 2]


def test_a_heads_level_says_nothing() -> None:
    """What one head adds to every answer alike changes no choice."""
    chance = Random(0)
    scores_KH = [[chance.gauss(0, 1) for _ in range(4)] for _ in range(8)]
    raised_KH = [[score + 100.0 * head for head, score in enumerate(row)] for row in scores_KH]
    assert most_disputed(raised_KH, 4) == most_disputed(scores_KH, 4)


def test_twins_are_not_shown_together_while_others_are_there() -> None:
    """An answer that was drawn twice is disputed by nobody with itself."""
    scores_KH = [[1.0, -1.0], [1.0, -1.0], [0.0, 0.5], [-1.0, 1.0]]
    assert not {0, 1} <= set(most_disputed(scores_KH, 2))


def test_all_are_shown_where_there_are_no_more() -> None:
    assert most_disputed([[0.0, 1.0], [1.0, 0.0]], 4) == [0, 1]


def test_one_by_one_finds_nearly_the_most_of_all() -> None:
    """Of eight answers four, a hundred times: on average .97 of what all 70 choices hold."""
    chance, shares = Random(1), []
    for _ in range(100):
        scores_KH = [[chance.gauss(0, 1) for _ in range(8)] for _ in range(8)]

        def total(chosen: tuple[int, ...], rows: list[list[float]] = scores_KH) -> float:
            pairs = combinations(chosen, 2)
            return sum(
                variance(a - b for a, b in zip(rows[i], rows[j], strict=True)) for i, j in pairs
            )

        most = max(total(chosen) for chosen in combinations(range(8), 4))
        shares.append(total(tuple(most_disputed(scores_KH, 4))) / most)
    assert sum(shares) / len(shares) > 0.97
