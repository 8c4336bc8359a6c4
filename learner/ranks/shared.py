"""The database, as every rank of a round sees it: rank 0 asks, and tells the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from feedback.store import Store
from learner.ranks.group import first, size


class _Shared:
    """The methods of a store that rank 0 alone has."""

    def __init__(self, real: Store | None) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return first(lambda: getattr(self._real, name)(*args, **kwargs))

        return call


def seen_by_all(real: Store | None) -> Store:
    """The store itself for a process that is alone; `real` is None on other ranks than 0. All call
    the same methods in the same order.
    """
    if real is not None and size() == 1:
        return real
    return cast("Store", _Shared(real))
