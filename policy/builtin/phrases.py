"""Phrases that carry a style and fit any skill: openers, closers, questions back, fillers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from policy.builtin.facts import content


def openers(warmth: str, formality: str) -> list[str]:
    """What a reply may begin with; one that ends with a comma is joined to what follows."""
    return _of("openers", warmth, formality)


def closers(warmth: str, formality: str) -> list[str]:
    """What a reply may end with, before it asks back."""
    return _of("closers", warmth, formality)


def asks(formality: str) -> list[str]:
    """Questions back."""
    return _of("asks", formality)


def take_ups(formality: str) -> list[str]:
    """Phrases that take up the person's words, `{t}`."""
    return _of("take_ups", formality)


def fillers(chatty: bool) -> list[str]:
    """Sentences to fill a long reply with: in small talk, or with a fact."""
    return _of("fillers", "talk" if chatty else "fact")


@cache
def contractions() -> list[tuple[str, str]]:
    """Written out -> contracted."""
    return list(content("phrases")["contractions"].items())


def expanded(text: str) -> str:
    """`text` in lower case with its contractions written out."""
    text = text.casefold()
    for full, short in contractions():
        text = text.replace(short.casefold(), full.casefold())
    return text


@cache
def every_phrase() -> Sequence[str]:
    """All phrases that may stand in any skill's replies."""
    found = content("phrases")
    return tuple(
        phrase for part in found if part != "contractions" for phrase in _flat(found[part])
    )


def _flat(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    else:
        for child in node.values() if isinstance(node, dict) else node:
            yield from _flat(child)


def _of(*path: str) -> list[str]:
    found = content("phrases")
    for name in path:
        found = found[name]
    assert isinstance(found, list), "a path ends at a list of phrases"
    return found
