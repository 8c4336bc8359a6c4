"""What is known of the people who rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import circumstances, down_weightings
from ..records import DownWeighting
from ..trust.judgements import Judgement
from .transactions import Transactions


class Trust(Transactions):
    """What is known of the people who rank."""

    def judgements(self) -> list[Judgement]:
        """Every ranking to learn from, oldest first, as statistics read it."""
        with self._reading() as session:
            return circumstances.judgements(session)

    def last_weights(self) -> tuple[int | None, Mapping[str, float]]:
        """The last round that used rankings, and what each person's weighed in it."""
        with self._reading() as session:
            return down_weightings.last_weights(session)

    def down_weightings(self) -> Mapping[str, Sequence[DownWeighting]]:
        """By person, everything that any round counted for less."""
        with self._reading() as session:
            return down_weightings.of_people(session)

    def shares_left_out(self, before: int, limit: int) -> list[float]:
        """The share of its rankings that each of the last rounds before this one left out."""
        with self._reading() as session:
            return down_weightings.shares_before(session, before, limit)

    def alarm(self) -> str | None:
        """The alarm of the last round that used rankings, if it raised one."""
        with self._reading() as session:
            return down_weightings.alarm(session)
