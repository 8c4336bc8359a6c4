"""The text that tells people what a good answer is, and its version: a ranking names it, so that a
change of the text can be told from a change of people's minds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

OWN = Path(__file__).with_name("guidelines.txt")
LIMIT = 20_000
"""Characters: more than that nobody reads beside the answers."""


@dataclass(frozen=True)
class Guidelines:
    """`version` is the text's digest, in eight digits."""

    text: str
    version: str


def read(path: Path | None) -> Guidelines:
    """The file's text, or our own; raises OSError or ValueError with the reason."""
    text = (path or OWN).read_text(encoding="utf-8").strip()
    if not 1 <= len(text) <= LIMIT:
        raise ValueError(f"guidelines have 1 to {LIMIT} characters, and {path} has {len(text)}")
    return Guidelines(text, hashlib.sha256(text.encode()).hexdigest()[:8])
