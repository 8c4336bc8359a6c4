"""Everything the model is to know and say, read from `content/`: facts, lists of words, wordings.

It knows the files' form, not what they are used for.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

_CONTENT = Path(__file__).with_name("content")
_TABLES, _LISTS = ("facts", "sense"), ("sense", "people")
_ENDS = ("", "n", "s", "l", "r", "m", "x", "k", "th")


@cache
def content(name: str) -> dict[str, Any]:
    """The file `content/<name>.toml`; nobody may change what it returns."""
    return tomllib.loads((_CONTENT / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def table(name: str) -> dict[str, str]:
    """What is asked -> what is answered, `/` between answers that are equally right."""
    if name == "countries":
        return {city: country for country, city in table("capitals").items()}
    return _parsed(next(found[name] for found in _sections("tables", _TABLES) if name in found))


@cache
def wordlist(name: str) -> tuple[str, ...]:
    """A list of words or phrases."""
    if name == "ages":
        return tuple(str(age) for age in range(6, 80))
    found = next(found[name] for found in _sections("lists", _LISTS) if name in found)
    return tuple(found.split() if isinstance(found, str) else found)


@cache
def kinds() -> dict[str, tuple[str, ...]]:
    """Kinds of things with their members."""
    return {kind: tuple(members.split()) for kind, members in content("sense")["kinds"].items()}


@cache
def rhymes() -> tuple[tuple[str, ...], ...]:
    """Families of words that rhyme."""
    return tuple(tuple(family.split()) for family in wordlist("rhymes"))


def coin(rng: Random) -> str:
    """A name nobody has heard before, so that names are learned as something to copy."""
    onsets, vowels = wordlist("onsets"), wordlist("vowels")
    first = rng.choice(onsets) + rng.choice(vowels)
    return (first + rng.choice(onsets) + rng.choice(vowels) + rng.choice(_ENDS)).capitalize()


def _sections(section: str, files: tuple[str, ...]) -> list[dict[str, Any]]:
    return [content(file)[section] for file in files]


def _parsed(text: str) -> dict[str, str]:
    entries = [entry.split(":") for entry in " ".join(text.split()).split(",") if entry.strip()]
    facts = {key.strip(): answer.strip() for key, answer in entries}
    assert len(facts) == len(entries), "a question stands twice in a table of facts"
    return facts
