"""Messages between the two processes come out as they went in, however the socket cuts them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import DecodeError, msgpack

from policy.params import SamplingParams
from policy.place import Place
from policy.requests import Scores
from server.decode.jobs import Fault, Job, Piece
from server.decode.orders import (
    HEADER,
    Cancel,
    Done,
    Drop,
    FailAll,
    Failed,
    Figures,
    Frames,
    Install,
    Load,
    Order,
    Report,
    Room,
    Stepped,
    Stop,
    Submit,
    framed,
)

PARAMS = SamplingParams(logit_bias=((7, -2.5),), seed=2**63 - 1)
JOB = Job("a-job", "v0", (5, 6), 4, PARAMS, ("\n",), frozenset({1, 2}), share="ada", said=(9,))
LIKELY = ((7, -0.5), (8, float("-inf")))
SCORES = Scores((-0.25,), (LIKELY,))
LOAD = Load("v1", Path("versions/v1"))
MESSAGES: list[Order | Report] = [
    Install(Place(Path("versions")), "builtin"),
    LOAD,
    Load("v1", Path("versions/v1"), Path("versions/v0")),
    Drop("v1"),
    Submit(JOB),
    Cancel("a-job"),
    FailAll("why"),
    Stop(),
    Done(LOAD, Room(256, 4096, 400)),
    Done(Install(Place(Path("versions")), "builtin"), "a digest"),
    Failed(LOAD, "why", lasting=True),
    Stepped([("a-job", Piece(0, 7, "é", -0.5, -0.25)), ("b", Fault("why"))], Figures(rows=2)),
    Stepped([("a-job", Piece(0, 7, "é", -0.5, -1.5, "stop", LIKELY, LIKELY, SCORES))], Figures()),
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


def test_every_message_is_tried() -> None:
    """None is missing above, so that a new one comes out as it went in."""
    assert {type(message) for message in MESSAGES} == {*get_args(Order), *get_args(Report)}


def test_nothing_is_made_of_what_is_no_message() -> None:
    """A pickle, and a class of another name, are refused; neither is run."""
    evil = b"cos\nsystem\n(S'true'\ntR."
    for content in (evil, msgpack.encode(["Popen", "true"])):
        with pytest.raises(DecodeError):
            Frames().feed(len(content).to_bytes(HEADER) + content)


def test_a_task_is_its_own_name() -> None:
    """What is done or has failed says so with the task itself, which went through the socket."""
    [again] = Frames().feed(framed(Install(Place(Path("root")), "builtin")))
    assert {Install(Place(Path("root")), "builtin"): 1}[again] == 1
