"""A record to export, and a file's way into a store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from feedback.exchange.lines import NumberedLine
from feedback.exchange.report import ImportReport
from feedback.rankings import Told
from feedback.records import CandidateRecord, GenerationRecord
from feedback.store import Store


def asked(
    store: Store,
    id: str,
    texts: Sequence[str],
    messages: tuple[tuple[str, str], ...] = (("user", "hi"),),
    **changed: Any,
) -> None:
    """A request with these answers on record; they are named <id>-0, <id>-1, ..."""
    given: dict[str, Any] = {
        "conversation_id": f"conversation of {id}",
        "person": "ann",
        "consented": True,
        "version": "v0",
        "digest": "d0",
        "messages": messages,
        "prompt_ids": (1, 2, 3),
        "params": {"temperature": 0.5, "stop": ["x"]},
        "seed": 2**40,
        "template_hash": "t",
        "created_at": 1000.25,
    }
    candidates = tuple(
        CandidateRecord(f"{id}-{i}", i, text, (i, 7), (-0.5, -0.1), (-0.75, -1.5), "stop")
        for i, text in enumerate(texts)
    )
    store.record_generation(GenerationRecord(id=id, candidates=candidates, **{**given, **changed}))


def fill(store: Store) -> None:
    """Three requests, three rankings of which one is replaced, four marks, two demonstrations."""
    talk = (("user", "hi"), ("assistant", "Hello."), ("user", "and you?"))
    asked(store, "c1", ["A", "B", "C", "D"])
    asked(store, "c2", ["E", "F"], talk, created_at=1001.0)
    asked(store, "c3", ["G", "H"], (("system", "Be kind."), ("user", "why?")), person="bob")
    store.add_ranking(person="ann", completion_id="c1", ranks=[1, 2, 3, 4])
    store.add_ranking(
        person="ann",
        completion_id="c1",
        ranks=[2, 1, 1, None],
        ratings={"helpful": [1.0, 7.0, 6.5, None]},
        comment="né \u0000 «so»",
        idempotency_key="k",
    )
    store.add_ranking(
        person="bob",
        completion_id="c2",
        ranks=[2, 1],
        none_acceptable=True,
        told=Told(("c2-1", "c2-0"), True, 4.5, "keys", "1"),
    )
    store.add_marks(person="ann", candidate="c1-0", values={"thumb": 1.0})
    store.add_marks(person="ann", candidate="c2-1", values={"thumb": 0.0})
    store.add_marks(person="bob", candidate="c3-0", values={"helpful": 2.0, "honest": 6.0})
    shown = (("system", "Be brief."), ("user", "Hello!"), ("assistant", "Hi."))
    store.add_demonstration(person="ann", messages=shown, conversation_id="d1")
    store.add_demonstration(
        person="bob", messages=(("user", "hi"), ("assistant", "A!")), conversation_id="d2",
        candidate="c1-0",
    )  # fmt: skip


def numbered(rows: Iterable[Any]) -> list[NumberedLine]:
    """Rows, or texts as they are, as the lines of a file."""
    texts = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    return [NumberedLine(number, text.encode()) for number, text in enumerate(texts, 1)]


def brought(store: Store, format: str, rows: Iterable[Any], person: str = "eve") -> ImportReport:
    """What comes of importing these rows."""
    return store.import_lines(format, numbered(rows), person)
