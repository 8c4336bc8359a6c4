"""What requests ask to be done to their logits, against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from policy.batch import Row
from policy.params import SamplingParams
from policy.requests import Request
from policy.shaping import Shaping

LOGITS = (2.0, -1.0, 0.5, 0.0)
CPU = torch.device("cpu")


def row(said: list[int], stop_ids: tuple[int, ...] = (), **asked: Any) -> Row:
    """A row whose prompt is token 0 and that has said these."""
    params = SamplingParams(**asked)
    made = Row(Request("r", (0,), params, stop_ids=frozenset(stop_ids)), 0)
    made.said += said
    return made


def shaped(*rows: Row) -> list[Any]:
    """LOGITS as each row gets them."""
    shaping = Shaping.of(rows, len(LOGITS), CPU)
    assert shaping is not None
    z_BV = shaping.shape(torch.tensor([LOGITS] * len(rows)))
    return [pytest.approx(values, abs=1e-6) for values in z_BV.tolist()]


def test_nothing_asked_is_nothing_done() -> None:
    """Temperature and cuts are no shaping, nor is a least length that was reached or that no stop
    id could cut short."""
    assert Shaping.of([row([1], temperature=0.3, top_p=0.5, min_p=0.1)], 4, CPU) is None
    assert (
        Shaping.of([row([1], stop_ids=(2,), min_tokens=1), row([], min_tokens=9)], 4, CPU) is None
    )


def test_presence_counts_once_and_frequency_each_time() -> None:
    """Token 1 was said twice, token 2 once; the prompt's token 0 counts for neither."""
    assert shaped(row([1, 2, 1], presence_penalty=0.5)) == [[2.0, -1.5, 0.0, 0.0]]
    assert shaped(row([1, 2, 1], frequency_penalty=0.5)) == [[2.0, -2.0, 0.0, 0.0]]
    assert shaped(row([1], presence_penalty=-1.0)) == [[2.0, 0.0, 0.5, 0.0]]


def test_repetition_shrinks_what_is_likely_and_deepens_what_is_not() -> None:
    """Divided where positive, multiplied where negative; the prompt's token 0 counts too."""
    assert shaped(row([1], repetition_penalty=2.0)) == [[1.0, -2.0, 0.5, 0.0]]


def test_repetition_comes_before_the_other_penalties() -> None:
    """Token 0, in the prompt and said: 2 / 2 - 0.5."""
    assert shaped(row([0], repetition_penalty=2.0, presence_penalty=0.5))[0] == [0.5, -1, 0.5, 0]


def test_biases_add_up() -> None:
    """Each on its own token."""
    assert shaped(row([], logit_bias=((1, 5.0), (3, -100.0)))) == [[2.0, 4.0, 0.5, -100.0]]


def test_no_stop_before_min_tokens() -> None:
    """With one of two tokens said the stop ids 2 and 3 are impossible; with two they are not."""
    never = -float("inf")
    assert shaped(row([1], stop_ids=(2, 3), min_tokens=2)) == [[2.0, -1.0, never, never]]
    two = [row([1, 1], stop_ids=(2,), min_tokens=2), row([1], stop_ids=(3,), min_tokens=2)]
    assert shaped(*two) == [list(LOGITS), [2.0, -1.0, 0.5, never]]


def test_shaping_is_over_when_all_may_stop() -> None:
    """One token more for the first row, two for the second."""
    rows = [row([1], stop_ids=(2,), min_tokens=2), row([], stop_ids=(3,), min_tokens=2)]
    shaping = Shaping.of(rows, len(LOGITS), CPU)
    assert shaping is not None
    shaping.advance(torch.tensor([0, 0]))
    assert shaping.shape(torch.tensor([LOGITS] * 2)).isinf().nonzero().tolist() == [[1, 3]]
    assert not shaping.over
    shaping.advance(torch.tensor([0, 0]))
    assert shaping.over


def test_rows_do_not_touch_each_other() -> None:
    """What one row asks for changes no other row."""
    asked = (
        row([1, 1], frequency_penalty=1.0),
        row([1, 1]),
        row([], logit_bias=((0, 1.0),)),
        row([], stop_ids=(0,), min_tokens=1),
    )
    never = -float("inf")
    assert shaped(*asked) == [
        [2.0, -3.0, 0.5, 0.0],
        list(LOGITS),
        [3.0, -1.0, 0.5, 0.0],
        [never, -1.0, 0.5, 0.0],
    ]


def test_what_is_drawn_is_counted() -> None:
    """A batch that moves on shapes as one that is made anew from its rows."""
    moved = Shaping.of([row([1], frequency_penalty=1.0), row([3])], 4, CPU)
    anew = Shaping.of([row([1, 2], frequency_penalty=1.0), row([3, 0])], 4, CPU)
    assert moved is not None
    assert anew is not None
    moved.advance(torch.tensor([2, 0]))
    z_BV = torch.tensor([LOGITS, LOGITS])
    assert torch.equal(moved.shape(z_BV), anew.shape(z_BV))
