"""The commands `rankloop export` and `rankloop import`: on the database itself, so that neither
needs a server to run, and files may be of any size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from rankloop_settings import Settings, UserError

BATCH = 50
"""Lines stored in one transaction: other writers wait for it."""

CHUNK = 2**20
"""Bytes read at a time."""

SILENT_S = 2.0
"""Seconds before it says how far it is, and between two such words."""

STDIO = "-"


def export_to(settings: Settings, format: str, file: str) -> int:
    """Write what people said to a file, `-` for stdout; the number of lines. Raises UserError."""
    from feedback.errors import StoreError
    from feedback.exchange.lines import written
    from feedback.store import Store

    told, count = Progress("exported"), 0
    if settings.database.url is None and not (settings.data / "rankloop.db").exists():
        raise UserError(f"{settings.data} holds no record to export")
    try:
        store = Store.open(settings.database.resolve(settings.data))
        lines = store.export(format)
        with _whole(file) as out:
            for count, line in enumerate(lines, 1):
                out.write(written(line))
                told(count)
        store.close()
    except (StoreError, OSError) as error:
        raise UserError(f"{file}: {error}") from None
    return count


@contextmanager
def _whole(file: str) -> Iterator[TextIO]:
    """The file, which takes another's place only once it is written to its end."""
    if file == STDIO:
        yield sys.stdout
        sys.stdout.flush()
        return
    beside = Path(f"{file}.tmp")
    with beside.open("w", encoding="utf-8") as out:
        yield out
    beside.replace(file)


def import_from(settings: Settings, format: str, file: str, user: str | None) -> bool:
    """Store what is new in a file, `-` for stdin, and say what became of its lines; whether all of
    them could be read. Raises UserError.
    """
    from feedback.errors import StoreError
    from feedback.exchange.lines import Lines
    from feedback.exchange.report import ImportReport
    from feedback.store import Store

    person, told, report = user or person_of(file), Progress("read"), ImportReport()
    try:
        store = Store.open(settings.database.resolve(settings.data))
        with _opened(file) as source:
            lines = Lines()
            for chunk in _chunks(source):
                held = [*(lines.feed(chunk) if chunk else lines.finish())]
                for first in range(0, len(held), BATCH):
                    report += store.import_lines(format, held[first : first + BATCH], person)
                    told(report.lines)
        store.close()
    except (StoreError, OSError) as error:
        raise UserError(f"{file}: {error}") from None
    for line in report.reasons:
        sys.stderr.write(f"line {line.number}: {line.reason}\n")
    known, refused = f"{report.known} known already", f"{report.refused} refused"
    sys.stderr.write(f"{report.imported} lines imported, {known}, {refused}\n")
    return not report.refused


def person_of(file: str) -> str:
    """Whose it is when nobody is named."""
    return f"import:{'stdin' if file == STDIO else Path(file).stem}"[:256]


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == STDIO:
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as source:
        yield source


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    """The file in pieces; an empty one is its end."""
    while chunk := source.read(CHUNK):
        yield chunk
    yield b""


class Progress:
    """Says on stderr how far it is, once it has taken a while."""

    def __init__(self, done: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._done = done
        self._clock = clock
        self._last = clock()

    def __call__(self, count: int) -> None:
        if self._clock() - self._last > SILENT_S:
            self._last = self._clock()
            sys.stderr.write(f"{count} lines {self._done}\n")
