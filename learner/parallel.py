"""A job in two halves at once, each on a thread of its own.

Torch's own threads wait for each other after every operation. For a small model an operation lasts
microseconds, and on a machine that serves beside, one of two threads is often not running: then the
other waits for it, thousands of times in a step. Halves of a job meet once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from learner import ranks

In = TypeVar("In")
Out = TypeVar("Out")

_halves = 1
_in_turn = False


def use_threads(threads: int, halves: int = 2) -> None:
    """Of this process from now on: so many parts at once, if there are as many threads, and torch's
    own in each. The ranks of a round have the threads between them, and each does its parts in
    turn: there are as many as in one process, so that the same is drawn for them.
    """
    global _halves, _in_turn
    _halves = min(halves, threads)
    _in_turn = ranks.size() > 1
    torch.set_num_threads(max(1, threads // (ranks.size() if _in_turn else halves)))


def alone() -> bool:
    """Whether one part of a job is done at a time."""
    return _halves == 1 or _in_turn


def halved(items: Sequence[In]) -> list[Sequence[In]]:
    """The items in as many parts as run at once, every other one in each, none of them empty."""
    return [items[i::_halves] for i in range(min(_halves, len(items)))]


def joined(parts: Sequence[Sequence[Out]]) -> list[Out]:
    """The inverse of `halved`."""
    whole: list[Out] = []
    for i in range(len(parts[0]) if parts else 0):
        whole += [part[i] for part in parts if i < len(part)]
    return whole


def at_once(call: Callable[[In], Out], parts: Sequence[In]) -> list[Out]:
    """`call` of each part, in their order. A thread starts with torch's defaults: gradients are on,
    so `call` itself says otherwise. The first error is raised when all have ended.
    """
    if alone() or len(parts) < 2:
        return [call(part) for part in parts]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(call, parts))
