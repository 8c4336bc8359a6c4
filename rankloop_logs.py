"""What the processes' log lines look like: text for people, or one JSON object a line for machines.

It knows none of the processes: each says what it is called, and where to ask for the request that
a line belongs to. It imports nothing large.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Format = Literal["plain", "json"]


class LogSettings(BaseModel):
    """The `log` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Format = Field(
        default="plain",
        description="Log lines of all processes: `plain` for people, `json` for programs that"
        " collect them, an object a line.",
    )
    prompts: bool = Field(
        default=False,
        description="Write what people ask into the server's log. Without it no line of the log"
        " holds any of it.",
    )


def begin(
    format: Format, process: str, plain: str, request_id: Callable[[], str | None] = lambda: None
) -> None:
    """Log lines of this process, from INFO up, to stderr. `plain`: their text in that format."""
    if format == "plain":
        logging.basicConfig(level=logging.INFO, format=plain)
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process, request_id))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    _take_in_the_rest()


class JsonLines(logging.Formatter):
    """A record as one JSON object, ASCII throughout, so that no terminal's encoding is in its way:
    time (UTC), level, logger, process, request_id and message; and error, its traceback."""

    def __init__(self, process: str, request_id: Callable[[], str | None]) -> None:
        super().__init__()
        self._process, self._request_id = process, request_id

    def format(self, record: logging.LogRecord) -> str:
        said = as_json(
            self._process, record.getMessage(), record.created, record.levelname, record.name
        )
        said["request_id"] = self._request_id()
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said)


def as_json(
    process: str, message: str, at: float, level: str = "INFO", logger: str = "rankloop"
) -> dict[str, str | None]:
    """A line's fields, of no request. `at`: seconds since the epoch."""
    return {
        "time": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": logger,
        "process": process,
        "request_id": None,
        "message": message,
    }


def collected(process: str, line: str) -> str:
    """What a process wrote, as a JSON line: as it is, or, where it was written past the log (before
    there was one, or by a library's own code), as that process's message."""
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    whole = isinstance(said, dict) and "process" in said
    return line if whole else json.dumps(as_json(process, line, time.time()))


def _take_in_the_rest() -> None:
    """What would be written past the log: tracebacks, warnings, and libraries' own lines."""
    logging.captureWarnings(True)
    # A line that cannot be written is let go: the complaint about it would be a line too.
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    threading.excepthook = lambda end: _uncaught(
        end.exc_type, end.exc_value or end.exc_type(), end.exc_traceback
    )
    sys.stderr = Written(logging.getLogger("stderr"))


def _uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    logging.getLogger("rankloop").critical("uncaught", exc_info=(kind, error, traceback))


class Written(io.TextIOBase):
    """A stream whose lines are log lines; a bar that is drawn over and over is its last state."""

    def __init__(self, log: logging.Logger) -> None:
        self._log, self._rest = log, ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def close(self) -> None:
        """Says also what no end of a line came after."""
        self._say(self._rest)
        self._rest = ""
        super().close()

    def _say(self, line: str) -> None:
        last = line.rstrip("\r").rpartition("\r")[2].rstrip()
        if last:
            self._log.info("%s", last)
