"""What this process is among those of a round, and the words for what they do together.

Alone, which is the default, there is one rank and every share is the whole. Nothing here knows a
model, a loss or a row. Light: torch is imported by whoever brings several processes together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

In = TypeVar("In")
Out = TypeVar("Out")
Run = TypeVar("Run")
Given = ParamSpec("Given")


class RankLost(RuntimeError):
    """A process of the round died, left it or does not answer: the round cannot go on as it is."""


@dataclass(frozen=True)
class Told(Generic[Out]):
    """What rank 0 says of a call of its own: its value, or why there is none."""

    values: tuple[Out, ...] = ()
    error: str | None = None


class Wire(Protocol):
    """What brings values to other ranks; its calls are made by all ranks, in the same order.
    Each raises RankLost."""

    rank: int
    size: int

    def told(self, value: Any) -> Any:
        """Rank 0's value."""

    def gathered(self, value: Any) -> list[Any]:
        """Every rank's value, in their order."""

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor the sum of all ranks', in place and the same bits on each."""


_wire: Wire | None = None
_apart = 0


def join(wire: Wire | None) -> None:
    """From now on in this process; None is to be alone again."""
    global _wire
    _wire = wire


def _others() -> Wire | None:
    """What leads to the others, None while there are none."""
    return None if _apart else _wire


def rank() -> int:
    """This process's number, from 0."""
    wire = _others()
    return wire.rank if wire else 0


def size() -> int:
    """How many processes run the round."""
    wire = _others()
    return wire.size if wire else 1


@contextmanager
def _by_itself() -> Iterator[None]:
    """What is done meanwhile is done by this process only: others know nothing of it."""
    global _apart
    _apart += 1
    try:
        yield
    finally:
        _apart -= 1


def first(call: Callable[[], Out]) -> Out:
    """What `call` gives on rank 0, which alone makes it, on every rank. What it raises is raised
    there; the others raise RankLost.
    """
    wire = _others()
    if wire is None:
        return call()
    if wire.rank:
        heard: Told[Out] = wire.told(None)
        return _value_of(heard)
    try:
        with _by_itself():
            value = call()
    except Exception as error:
        wire.told(Told[Out](error=f"{type(error).__name__}: {error}"))
        raise
    wire.told(Told(values=(value,)))
    return value


def _value_of(told: Told[Out]) -> Out:
    if told.error is not None:
        raise RankLost(f"rank 0 ended the round: {told.error}")
    assert told.values, "there is an error or a value"
    return told.values[0]


def on_first(act: Callable[Given, None]) -> Callable[Given, None]:
    """`act` done by rank 0 only, whenever it likes: nobody else waits for it."""

    @wraps(act)
    def acted(*args: Given.args, **kwargs: Given.kwargs) -> None:
        if rank() == 0:
            with _by_itself():
                act(*args, **kwargs)

    return acted


def dealt(items: Sequence[In]) -> list[Sequence[In]]:
    """The items as every rank's share, in turn; where they are few, some have none."""
    return [items[i :: size()] for i in range(size())]


def shared_out(call: Callable[[Sequence[In]], Sequence[Out]], items: Sequence[In]) -> list[Out]:
    """`call` of one's own share, which gives one result for each item; everybody's results, in the
    items' order.
    """
    wire = _others()
    if wire is None:
        return list(call(items))
    shares = wire.gathered(list(call(dealt(items)[wire.rank])))
    assert sum(map(len, shares)) == len(items), "every rank was given the same items"
    return [shares[i % wire.size][i // wire.size] for i in range(len(items))]


def all_of(own: Sequence[Out]) -> list[Out]:
    """All that each rank has, one rank's after the other's."""
    wire = _others()
    return [one for part in wire.gathered(list(own)) for one in part] if wire else list(own)


def total(value: float) -> float:
    """The sum over ranks."""
    wire = _others()
    return sum(wire.gathered(value)) if wire else value


def evenly(
    items: Sequence[In], cut: Callable[[Sequence[In]], Iterable[Run]]
) -> Iterator[tuple[Run, bool]]:
    """The passes that `cut` makes of one's own share of the items, and whether each counts: all
    ranks make as many, because they meet in them, so whoever has fewer repeats one for nothing.
    """
    runs = [list(cut(share)) if share else [] for share in dealt(items)]
    own = runs[rank()]
    yield from ((run, True) for run in own)
    for _ in range(max(map(len, runs)) - len(own)):
        yield runs[0][0], False


def in_one(share: Sequence[In]) -> list[Sequence[In]]:
    """All of it in one pass."""
    return [share]


def added_up(parameters: Iterable[nn.Parameter]) -> None:
    """Make each parameter's gradient, of one's own share of a loss, that of the whole; parts of
    weights that are shared out have it already.
    """
    wire = _others()
    if wire is not None:
        found = [p.grad for p in parameters if p.grad is not None]
        wire.add_up([grad for grad in found if not hasattr(grad, "placements")])
