"""Our own format: every row of what people asked, were answered and said, with nothing left out.

The first line names the format and holds every field once, empty, so that a program that tells
types by the first lines (Hugging Face's `datasets`) reads the rest. Then a line for each generation
with its candidates, ranking, mark, demonstration and word on consent, in the order in which they
can be stored again. Fields of one name have one type. `params` is JSON in a text, because its
fields differ; a log-probability that is not finite is null, and NaN when it is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..tables import Candidate, Consent, Demonstration, Generation, Mark, RankedCandidate, Ranking
from .reading import items, mapping, number, shown, text
from .values import UnreadableLine
from .writing import Line, as_messages

FORMAT = "rankloop-1"
INT32 = 2**31

HEADER: Line = {
    "type": FORMAT,
    "id": "",
    "number": 0,
    "person": "",
    "consented": False,
    "created_at": 0.0,
    "conversation_id": "",
    "messages": [{"role": "", "content": ""}],
    "version": "",
    "digest": "",
    "prompt_ids": [0],
    "params": "{}",
    "seed": 0,
    "template_hash": "",
    "listed": False,
    "candidates": [
        {
            "id": "",
            "index": 0,
            "text": "",
            "token_ids": [0],
            "logps": [0.0],
            "raw_logps": [0.0],
            "finish_reason": "",
        }
    ],
    "ranked": [{"candidate": "", "rank": 0}],
    "none_acceptable": False,
    "ratings": [{"criterion": "", "values": [0.0]}],
    "comment": "",
    "task_id": "",
    "shown": [""],
    "blind": False,
    "seconds": 0.0,
    "input": "",
    "guidelines": "",
    "candidate": "",
    "criterion": "",
    "value": 0.0,
    "source": "",
    "given": False,
    "supersedes": 0,
    "idempotency_key": "",
    "body_digest": "",
}


# Rows to lines


def write_generation(row: Generation, candidates: Sequence[Candidate]) -> Line:
    """A request and its answers."""
    return {
        "type": "generation",
        "id": row.id,
        "conversation_id": row.conversation_id,
        "person": row.person,
        "consented": row.consented,
        "version": row.version,
        "digest": row.digest,
        "messages": as_messages(tuple((role, content) for role, content in row.messages)),
        "prompt_ids": list(row.prompt_ids),
        "params": json.dumps(row.params),
        "seed": row.seed,
        "template_hash": row.template_hash,
        "listed": row.listed,
        "created_at": row.created_at,
        "candidates": [_write_candidate(candidate) for candidate in candidates],
    }


def _write_candidate(row: Candidate) -> Line:
    return {
        "id": row.id,
        "index": row.place,
        "text": row.text,
        "token_ids": list(row.token_ids),
        "logps": [_finite(value) for value in row.logps],
        "raw_logps": [_finite(value) for value in row.raw_logps],
        "finish_reason": row.finish_reason,
    }


def write_ranking(row: Ranking, entries: Sequence[RankedCandidate]) -> Line:
    """What a person said of some answers."""
    ratings = None if row.ratings is None else row.ratings.items()
    return {
        **_appended("ranking", row),
        "ranked": [{"candidate": entry.candidate_id, "rank": entry.rank} for entry in entries],
        "criterion": row.criterion,
        "none_acceptable": row.none_acceptable,
        "ratings": None
        if ratings is None
        else [{"criterion": name, "values": values} for name, values in ratings],
        "comment": row.comment,
        "task_id": row.task_id,
        "shown": row.shown,
        "blind": row.blind,
        "seconds": row.seconds,
        "input": row.input,
        "guidelines": row.guidelines,
        "supersedes": row.supersedes,
    }


def write_mark(row: Mark) -> Line:
    """A thumb or a rating."""
    return {
        **_appended("mark", row),
        "candidate": row.candidate_id,
        "criterion": row.criterion,
        "value": row.value,
        "comment": row.comment,
        "supersedes": row.supersedes,
    }


def write_demonstration(row: Demonstration) -> Line:
    """An ideal answer, or both sides of a conversation."""
    return {
        **_appended("demonstration", row),
        "conversation_id": row.conversation_id,
        "source": row.source,
        "messages": as_messages(tuple((role, content) for role, content in row.messages)),
        "candidate": row.candidate_id,
    }


def write_consent(row: Consent) -> Line:
    """A person's word on whether what they say may be learned from."""
    return {
        "type": "consent",
        "person": row.person,
        "version": row.text_version,
        "given": row.given,
        "created_at": row.at,
    }


def _appended(kind: str, row: Ranking | Mark | Demonstration) -> Line:
    return {
        "type": kind,
        "number": row.id,
        "person": row.person,
        "consented": row.consented,
        "created_at": row.created_at,
        "idempotency_key": row.idempotency_key,
        "body_digest": row.body_digest,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# Fields of lines. All raise UnreadableLine.


def flag(row: Mapping[str, Any], key: str) -> bool:
    """True or false."""
    value = row.get(key)
    if not isinstance(value, bool):
        raise UnreadableLine(f"{key} must be true or false, not {shown(value)}")
    return value


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """How a ranking came about, as far as it is said."""
    shown_ = None if row.get("shown") is None else _list(row, "shown")
    if shown_ is not None and not all(isinstance(id, str) for id in shown_):
        raise UnreadableLine(f"shown must be ids of candidates, not {shown(shown_)}")
    return {
        "shown": shown_,
        "blind": None if row.get("blind") is None else flag(row, "blind"),
        "seconds": None if row.get("seconds") is None else number(row["seconds"], "seconds"),
        "input": maybe(row, "input"),
        "guidelines": maybe(row, "guidelines"),
    }


def maybe(row: Mapping[str, Any], key: str) -> str | None:
    """A text or nothing."""
    return None if row.get(key) is None else text(row, key)


def whole(value: Any, name: str, limit: int = INT32) -> int:
    """A whole number of so many bits."""
    if isinstance(value, bool) or not isinstance(value, int) or not -limit <= value < limit:
        raise UnreadableLine(f"{name} must be a whole number, not {shown(value)}")
    return value


def wholes(row: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """Whole numbers, perhaps none."""
    return tuple(whole(value, f"{key}[{i}]") for i, value in enumerate(_list(row, key)))


def logps(row: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """Log-probabilities; null is NaN."""
    return tuple(
        math.nan if value is None else number(value, f"{key}[{i}]")
        for i, value in enumerate(_list(row, key))
    )


def messages(row: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(role, content) pairs of whatever roles."""
    told = (mapping(turn, "a message") for turn in items(row, "messages"))
    return tuple((text(turn, "role"), text(turn, "content")) for turn in told)


def params(row: Mapping[str, Any]) -> dict[str, Any]:
    """The sampling parameters."""
    try:
        return mapping(json.loads(text(row, "params")), "params")
    except (ValueError, RecursionError) as error:
        raise UnreadableLine(f"params must be JSON: {error}") from None


def ratings(row: Mapping[str, Any]) -> dict[str, list[float | None]] | None:
    """By criterion a number, or None, for each answer."""
    if row.get("ratings") is None:
        return None
    told = (mapping(given, "a rating") for given in _list(row, "ratings"))
    return {text(given, "criterion"): _values(given) for given in told}


def _values(given: Mapping[str, Any]) -> list[float | None]:
    found = _list(given, "values")
    return [None if value is None else number(value, "a rating's value") for value in found]


def ranked(row: Mapping[str, Any]) -> tuple[tuple[str, int | None], ...]:
    """Candidates by their ids, with their ranks."""
    told = [mapping(entry, "an entry of ranked") for entry in items(row, "ranked")]
    return tuple((text(entry, "candidate"), _rank(entry)) for entry in told)


def _rank(entry: Mapping[str, Any]) -> int | None:
    return None if entry.get("rank") is None else whole(entry["rank"], "rank")


def _list(row: Mapping[str, Any], key: str) -> list[Any]:
    value = row.get(key)
    if not isinstance(value, list):
        raise UnreadableLine(f"{key} must be a list, not {shown(value)}")
    return value
