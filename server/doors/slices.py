"""How much of a minute's requests one server takes from the database at a time.

Arithmetic alone. A slice is what is spent without asking again: one request at first, twice as many
whenever the last slice went within a second, at most a hundredth of the limit. What a server holds
and does not spend is lost to the others, so that each server is off by one slice at most.
"""

from __future__ import annotations

from dataclasses import dataclass

QUICK_S = 1.0
GOOD_S = 60.0
"""A slice is taken from the minute that follows, and is worth nothing after it."""
PARTS = 100


@dataclass
class Slice:
    """What one name has left here. Times are of this process's monotonic clock, in seconds."""

    left: int = 0
    size: int = 0
    taken_at: float = float("-inf")
    closed_until: float = float("-inf")

    def spend(self, at: float) -> bool:
        """One request, if there is one left."""
        if self.left <= 0 or self._is_stale(at):
            return False
        self.left -= 1
        return True

    def _is_stale(self, at: float) -> bool:
        return at - self.taken_at >= GOOD_S

    def is_over(self, at: float) -> bool:
        """Whether it says nothing any more."""
        return self._is_stale(at) and not self.closed_s(at)

    def next_size(self, limit: int, at: float) -> int:
        """How much to ask for, of so many in a minute."""
        quick = at - self.taken_at < QUICK_S
        return max(1, min(2 * self.size if quick else 1, limit // PARTS))

    def take(self, count: int, size: int, at: float) -> None:
        """So many were given, of a slice of this size."""
        self.left = count if self._is_stale(at) else self.left + count
        self.size, self.taken_at = size, at

    def close(self, until: float) -> None:
        """None were given, and there is none until then."""
        self.closed_until = until

    def closed_s(self, at: float) -> float:
        """How long it is no use to ask."""
        return max(0.0, self.closed_until - at)
