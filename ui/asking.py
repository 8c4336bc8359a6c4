"""How a person wants to be answered: what stands beside the box."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class How:
    """The values of the composer's settings, in the order in which the page sends them; a `longest`
    of 0 leaves the length to the server.
    """

    count: int
    temperature: float
    person: str | None
    system: str | None = None
    longest: float | None = 0

    @property
    def max_tokens(self) -> int | None:
        """Tokens of an answer at most; None where nothing is said."""
        return int(self.longest) if self.longest else None
