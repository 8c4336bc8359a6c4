"""Requests per minute, counted over all servers."""

from __future__ import annotations

from collections.abc import Mapping

from .. import quotas
from ..quotas import Share, Want
from .transactions import Transactions


class Quotas(Transactions):
    """Requests per minute, counted over all servers."""

    def take_requests(self, wanted: Mapping[str, Want]) -> dict[str, Share]:
        """Take requests of this minute, for many names in one transaction."""
        with self._writing("quotas") as session:
            return quotas.take(session, wanted)
