"""server.slices: how much of a minute one server holds."""

from __future__ import annotations

from server.doors.slices import Slice


def test_slices_double_while_they_go_within_a_second_up_to_a_hundredth() -> None:
    """Of 500 in a minute: 1, 2, 4, then 5, which is a hundredth."""
    held, sizes = Slice(), []
    for at in (0.0, 0.1, 0.2, 0.3, 0.4):
        sizes.append(held.next_size(500, at))
        held.take(sizes[-1], sizes[-1], at)
    assert sizes == [1, 2, 4, 5, 5]


def test_who_asks_now_and_then_gets_one_at_a_time() -> None:
    """Nothing is held that another server may want: the slice before lasted two seconds."""
    held = Slice()
    held.take(5, 5, 0.0)
    assert held.next_size(500, 2.0) == 1


def test_a_small_limit_goes_one_by_one() -> None:
    """A hundredth of 60 is less than a request."""
    held = Slice()
    held.take(1, 1, 0.0)
    assert held.next_size(60, 0.1) == 1


def test_a_slice_is_spent_within_its_minute() -> None:
    """Two of three; the third is worth nothing 60 s later, and does not add to the next slice."""
    held = Slice()
    held.take(3, 3, 0.0)
    assert [held.spend(1.0), held.spend(59.0), held.spend(60.0)] == [True, True, False]
    held.take(1, 1, 61.0)
    assert [held.spend(61.0), held.spend(61.0)] == [True, False]


def test_who_got_nothing_is_closed_until_there_may_be_more() -> None:
    """7 s from 3 on: 5 s are left at 5, none at 11, when all that it says is over."""
    held = Slice()
    held.close(10.0)
    assert (held.closed_s(5.0), held.closed_s(11.0)) == (5.0, 0.0)
    assert (held.is_over(5.0), held.is_over(11.0)) == (False, True)
