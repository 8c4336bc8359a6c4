"""Two processes that are the ranks of one round, on this machine, for tests to call functions in.

They are forked from a server that has imported what is large: a call costs a tenth of a second.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch

from learner.ranks.crew import Seat, _seated

Out = TypeVar("Out")


class Two:
    """The processes."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self.pool = pool

    def call(self, function: Callable[..., Out], *args: Any) -> list[Out]:
        """What each rank's call gives, which may be the error that it raised."""
        with tempfile.TemporaryDirectory() as folder:
            seats = [Seat(rank, 2, Path(folder) / "meeting") for rank in range(2)]
            calls = [self.pool.submit(_in_seat, seat, function, args) for seat in seats]
            return [call.result(timeout=120) for call in calls]


@contextmanager
def two_ranks() -> Iterator[Two]:
    """For as long as they are needed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.two_ranks", "learner.round"])
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        yield Two(pool)


def _in_seat(seat: Seat, function: Callable[..., Out], args: tuple[Any, ...]) -> Out:
    torch.set_num_threads(1)
    with _seated(seat, "cpu"):
        return function(*args)
