"""What goes out and comes in in the field's formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import exports, imports
from ..errors import StoreError
from ..exchange import own
from ..exchange.formats import NAMES, OWN
from ..exchange.lines import NumberedLine
from ..exchange.report import ImportReport
from ..exchange.writing import Line
from .transactions import Transactions


class Exchange(Transactions):
    """What goes out and comes in in the field's formats."""

    def export(self, format: str, person: str | None = None) -> Iterator[Line]:
        """What people said as objects, one a line; in our own format, with a person, theirs alone.
        It is read as it is asked for. Raises StoreError for an unknown format.
        """
        _check(format)
        assert person is None or format == OWN, "other formats name nobody"
        return self._lines(format, person)

    def _lines(self, format: str, person: str | None) -> Iterator[Line]:
        if format == OWN:
            yield own.HEADER
        with self._reading() as session:
            sources = exports.sources(session, format, person)
        for source in sources:
            after, more = None, True
            while more:
                with self._reading() as session:
                    page = source(session, after)
                yield from page.lines
                after, more = page.after, page.after is not None

    def import_lines(self, format: str, lines: Sequence[NumberedLine], person: str) -> ImportReport:
        """Store what is new in these lines, as said by this person; our own format names its own.
        A line that cannot be read is refused by itself. Raises StoreError for an unknown format,
        InvalidText for the person.
        """
        _check(format)
        with self._writing("rankings") as session:
            return imports.take(session, format, lines, person)


def _check(format: str) -> None:
    if format not in NAMES:
        message = f"a format is one of {', '.join(NAMES)}, not {format!r}"
        raise StoreError(message, param="format", value=format)
