"""The text of an answer as its tokens come: whole characters only, nothing past a stop string,
never half of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Detokenizer(Protocol):
    """Tokens to text, a piece at a time; never half a character."""

    def push(self, token: int) -> str: ...
    def flush(self) -> str: ...


class Writer:
    """One answer's text. What could be the beginning of a stop string is held back until it is
    known not to be."""

    def __init__(self, detokenizer: Detokenizer, stops: Sequence[str]) -> None:
        self._detokenizer = detokenizer
        self._stops = stops
        self._held = ""
        self.stopped = False

    def push(self, token: int) -> str:
        """The text that may be shown now."""
        return self._release(self._detokenizer.push(token), last=False)

    def finish(self) -> str:
        """What is left when no more tokens come; empty after a stop string."""
        return self._release(self._detokenizer.flush(), last=True)

    def _release(self, text: str, *, last: bool) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = 0 if last else self._beginning(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _beginning(self, text: str) -> int:
        """Length of the longest end of the text that some stop string begins with."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
