"""How people type: in lower case, without punctuation, with a slip of the finger."""

from __future__ import annotations

from random import Random

_LOWER, _UNMARKED, _SLIP = 0.35, 0.3, 0.05


def typed(text: str, rng: Random, keep: tuple[str, ...] = ()) -> str:
    """`text` as somebody in a hurry may type it; the words in `keep` stay as they are spelled."""
    if rng.random() < _LOWER:
        text = text.lower()
        for name in keep:
            text = text.replace(name.lower(), name)
    if rng.random() < _UNMARKED and len(text) > 3:
        text = text.rstrip("?.!")
    return _slip(text, rng) if rng.random() < _SLIP and not keep else text


def _slip(text: str, rng: Random) -> str:
    """Two neighbouring letters of a long word swapped; names and short words are left alone."""
    parts = text.split(" ")
    slips = [
        place
        for place, word in enumerate(parts)
        if len(word) > 4 and word.isalpha() and word.islower()
    ]
    if slips:
        place = rng.choice(slips)
        word, at = parts[place], rng.randrange(1, len(parts[place]) - 2)
        parts[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(parts)
