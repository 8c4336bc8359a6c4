"""UltraFeedback's shape (Cui et al. 2023, 2310.01377): an instruction and completions, each with
ratings by criterion and an overall score.

A ranking's order is told by the overall scores, the more the better; where not all completions that
are compared have one, ratings alone are told. A conversation of several turns is not written: an
instruction is one text. A system's turn is `custom_system_prompt`, and read back where all
completions have the same one; in UltraFeedback itself each model had another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..preferences import THUMB
from .reading import items, mapping, number, text
from .values import Compared, Judged, Said, Turns, UnreadableLine, Values
from .writing import Line, dense

NONE = "N/A"
"""What UltraFeedback writes where there is no rating."""


def write(said: Said) -> Iterator[Line]:
    """One line for a ranking, or for ratings that were given by themselves."""
    if isinstance(said, Compared):
        ranks = dense(said.ranks)
        above = 1 + max((rank for rank in ranks if rank), default=0)
        scores = [None if rank is None else float(above - rank) for rank in ranks]
        yield from _line(said, said.ratings, scores)
    elif isinstance(said, Judged):
        values = {name: given for name, given in said.values.items() if name != THUMB}
        if any(value is not None for given in values.values() for value in given):
            yield from _line(said, values, [None] * len(said.answers))


def _line(
    said: Compared | Judged, values: Values, scores: Sequence[float | None]
) -> Iterator[Line]:
    system = [content for role, content in said.messages if role == "system"]
    asked = [content for role, content in said.messages if role != "system"]
    if len(asked) != 1 or len(system) > 1:
        return
    yield {
        "instruction": asked[0],
        "completions": [
            {
                "response": answer,
                "custom_system_prompt": system[0] if system else "",
                "annotations": {
                    name: {"Rating": _rating(given[place])} for name, given in values.items()
                },
                "overall_score": scores[place],
            }
            for place, answer in enumerate(said.answers)
        ],
    }


def _rating(value: float | None) -> str:
    if value is None:
        return NONE
    return str(int(value)) if value.is_integer() else repr(value)


def read(row: Mapping[str, Any]) -> Sequence[Said]:
    """A ranking by the overall scores, else ratings by themselves."""
    found = [mapping(given, "a completion") for given in items(row, "completions")]
    answers = tuple(text(given, "response") for given in found)
    messages, values = _messages(row, found), _values(found)
    scores = [_score(given) for given in found]
    if len([score for score in scores if score is not None]) > 1:
        return [Compared(messages, answers, _ranks(scores), values)]
    if not values:
        raise UnreadableLine("there are neither two overall scores nor any rating")
    return [Judged(messages, answers, values)]


def _messages(row: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> Turns:
    asked = ("user", text(row, "instruction"))
    systems = {given.get("custom_system_prompt") for given in found}
    system = systems.pop() if len(systems) == 1 else None
    return (("system", system), asked) if system and isinstance(system, str) else (asked,)


def _score(given: Mapping[str, Any]) -> float | None:
    score = given.get("overall_score")
    return None if score is None else number(score, "overall_score")


def _ranks(scores: Sequence[float | None]) -> tuple[int | None, ...]:
    best_first = sorted({score for score in scores if score is not None}, reverse=True)
    return tuple(None if score is None else best_first.index(score) + 1 for score in scores)


def _values(found: Sequence[Mapping[str, Any]]) -> Values:
    """The ratings by criterion; a criterion without any is left out."""
    annotations = [mapping(given.get("annotations") or {}, "annotations") for given in found]
    names = dict.fromkeys(name for given in annotations for name in given)
    values = {name: tuple(_read_rating(given.get(name)) for given in annotations) for name in names}
    return {
        name: given for name, given in values.items() if any(value is not None for value in given)
    }


def _read_rating(annotation: Any) -> float | None:
    """A rating as a number; what is none ("N/A", a list) is nothing said."""
    rating = annotation.get("Rating") if isinstance(annotation, dict) else None
    try:
        value = float(rating) if isinstance(rating, str | int | float) else math.nan
    except (ValueError, OverflowError):
        value = math.nan
    return value if math.isfinite(value) else None
