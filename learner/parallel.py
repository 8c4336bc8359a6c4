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

In = TypeVar("In")
Out = TypeVar("Out")

_halves = 1


def use_threads(threads: int, halves: int = 2) -> None:
    """Of this process from now on: so many parts at once, if there are as many threads, and torch's
    own in each.
    """
    global _halves
    _halves = min(halves, threads)
    torch.set_num_threads(max(1, threads // halves))


def alone() -> bool:
    """Whether jobs are not divided."""
    return _halves == 1


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
    if _halves == 1 or len(parts) < 2:
        return [call(part) for part in parts]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(call, parts))
