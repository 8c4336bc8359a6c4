"""One thing a person asks for, with all that it takes to answer it and to check an answer.

It knows no style.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random


@dataclass(frozen=True)
class Answer:
    """What counts as right: at least `need` different ones of `accepted`, and none of `rivals`.

    All are in lower case. `numeric`: the answer is a number, and any other number is a rival unless
    it is `given` in the question.
    """

    accepted: frozenset[str]
    rivals: frozenset[str] = frozenset()
    need: int = 1
    numeric: bool = False
    given: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Task:
    """A person's turn. Templates are in lower case, without a full stop; `{a}` is the answer."""

    skill: str
    user: str
    bare: Sequence[str]  # complete answers without the person's words
    echo: Sequence[str] = ()  # complete answers that take them up
    topic: str = ""  # words of the person's, to be taken up by a phrase that fits any skill
    said: str = ""  # the right answer, as it is said
    wrong: Sequence[str] = ()  # answers that are wrong, as they are said
    details: Sequence[str] = ()  # more that is true and to the point
    asks: Sequence[str] = ()  # questions back that suit the matter
    items: Sequence[str] = ()  # the answer's parts, where it is a list by itself
    answer: Answer | None = None
    cues: frozenset[str] = frozenset()  # lower case; a reply to the point holds at least one
    keys: tuple[str, ...] = ()  # what must not stand in both splits, beside the wording
    keep: tuple[str, ...] = ()  # names, spelled as the person spells them
    chatty: bool = field(default=False)  # small talk, no question of fact


def mistaken(task: Task, rng: Random) -> Task:
    """The same task with one of its wrong answers to be said, where it has any."""
    return replace(task, said=rng.choice(task.wrong), items=()) if task.wrong else task


Scene = tuple[Task, ...]  # turns that belong together, the last one being the point
Draw = Callable[[Random], Scene]


@dataclass(frozen=True)
class Skill:
    """A skill's name, its weight in the mix, and how to draw a scene of it."""

    name: str
    weight: float
    draw: Draw
