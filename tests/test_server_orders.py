"""Messages between the two processes come out as they went in, however the socket cuts them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from server.jobs import Fault, Piece
from server.orders import (
    Cancel,
    Figures,
    Frames,
    Install,
    Load,
    Order,
    Report,
    Stepped,
    Stop,
    framed,
)

MESSAGES: list[Order | Report] = [
    Load("v1", Path("versions/v1")),
    Cancel("a-job"),
    Stepped([("a-job", Piece(0, 7, "é", -0.5, -0.25)), ("b", Fault("why"))], Figures(rows=2)),
    Stop(),
]


@given(st.lists(st.integers(1, 40), min_size=1))
def test_messages_survive_any_cutting(sizes: list[int]) -> None:
    """One byte at a time, several messages at once, or anything between."""
    data, frames, found = b"".join(map(framed, MESSAGES)), Frames(), []
    while data:
        for size in sizes:
            found += frames.feed(data[:size])
            data = data[size:]
    assert found == MESSAGES


def test_a_task_is_its_own_name() -> None:
    """What is done or has failed says so with the task itself, which went through the socket."""
    [again] = Frames().feed(framed(Install(Path("root"), "builtin")))
    assert {Install(Path("root"), "builtin"): 1}[again] == 1
