"""What goes into the labelling queue and comes out of it: frozen values, no rows, no sessions.

Times are Unix seconds, durations end in `_s`. Messages are (role, content) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

Turns = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Terms:
    """How items are handed out: for how long, and what share of them are gold, and repeats. Those
    made for the version `first`, which is being tried, go before others.
    """

    lease_s: float
    gold: float = 0.0
    repeats: float = 0.0
    first: str | None = None


@dataclass(frozen=True)
class ItemAnswer:
    """One of an item's answers, as the person sees it: by whom is not said."""

    id: str
    text: str


@dataclass(frozen=True)
class Item:
    """What a person was given to rank: `answers` in the order that they are shown in. It is theirs
    for `left_s` seconds more. `criterion` is what alone to rank by, None as a whole. `kind` is not
    for their eyes.
    """

    id: int
    kind: str
    messages: Turns
    answers: tuple[ItemAnswer, ...]
    left_s: float
    criterion: str | None = None


@dataclass(frozen=True)
class PromptSource:
    """A prompt that waits to be answered for the queue: an imported one by its id, or a logged one
    of a person who consented, with that person and conversation. `digest` names it among either.
    Its answers are an item for each of `criteria`, one where there are none.
    """

    digest: str
    messages: Turns
    person: str
    conversation_id: str
    prompt_id: int | None
    criteria: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """What an import of prompts brought: new ones, those that the set had, all that it has now."""

    added: int
    known: int
    total: int


@dataclass(frozen=True)
class PromptSet:
    """A set of imported prompts: how many, how many of them are answered, and how many of those
    have all the rankings that they need.
    """

    name: str
    prompts: int
    answered: int
    labelled: int


@dataclass(frozen=True)
class Gold:
    """An item whose right ranks are known."""

    id: int
    candidates: tuple[str, ...]
    ranks: tuple[int | None, ...]


@dataclass(frozen=True)
class Progress:
    """How far a person is: items done since a moment and in all, items that wait for them, and the
    median of what their last ones took (None before the first).
    """

    today: int
    done: int
    waiting: int
    median_s: float | None
