"""What became of the lines of a file."""

from __future__ import annotations

from dataclasses import dataclass

TOLD = 100
"""Refused lines that are told one by one; a file of another format has as many as it has lines."""


@dataclass(frozen=True)
class RefusedLine:
    """A line by its number from 1, and why it was not imported."""

    number: int
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """How many lines were imported, were known already, or refused; the first of those by name."""

    imported: int = 0
    known: int = 0
    refused: int = 0
    reasons: tuple[RefusedLine, ...] = ()

    @property
    def lines(self) -> int:
        return self.imported + self.known + self.refused

    def __add__(self, other: ImportReport) -> ImportReport:
        return ImportReport(
            self.imported + other.imported,
            self.known + other.known,
            self.refused + other.refused,
            (*self.reasons, *other.reasons)[:TOLD],
        )

    @classmethod
    def refusing(cls, number: int, reason: str) -> ImportReport:
        """Of one line that was refused."""
        return cls(refused=1, reasons=(RefusedLine(number, reason),))
