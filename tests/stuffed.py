"""A record in which everything that people or models can name or say is a payload."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from feedback.labelling import PromptSource
from feedback.records import Reason
from feedback.store import Store
from tests.feedback_databases import a_generation

PAYLOADS: list[str] = json.loads(
    (Path(__file__).parent / "data" / "payloads.json").read_text(encoding="utf-8")
)


def stuff(store: Store, reader: str) -> None:
    """Rankings, marks, prompts, an item and a conversation for the reader, a round, reasons."""
    for i, payload in enumerate(PAYLOADS):
        store.record_generation(a_generation(f"asked-{i}"))
        store.add_ranking(
            person=payload, completion_id=f"asked-{i}", ranks=[1, 2, 3, 4], comment=payload
        )
        store.add_prompts(payload, [(("user", payload),)], person=payload)
    store.add_marks(person=reader, candidate="asked-0-0", values={"thumb": 1.0})
    _an_item(store)
    _a_conversation(store, reader)
    _a_round(store)
    for text in _parcels(PAYLOADS, 1500):
        store.reject(_a_version(store, text), actor=PAYLOADS[0], reason=text)


def _an_item(store: Store) -> None:
    """Asked by half of the payloads, answered by the others."""
    middle = len(PAYLOADS) // 2
    question = "\n".join(PAYLOADS[:middle])
    said = (("user", question),)
    answers = ["\n".join(PAYLOADS[middle + place :: 4]) for place in range(4)]
    record = a_generation("item", prompt=question)
    candidates = _texts(record.candidates, answers)
    store.record_generation(replace(record, messages=said, candidates=candidates))
    source = PromptSource("item", said, "ann", "conversation of item", None)
    store.add_task(source, [one.id for one in candidates], version="v0", wanted=9)


def _a_conversation(store: Store, reader: str) -> None:
    """One question and one answer, of all payloads each."""
    whole = "\n".join(PAYLOADS)
    record = a_generation("talk", prompt=whole)
    [candidate] = _texts(record.candidates[:1], [whole])
    store.record_generation(
        replace(record, person=reader, messages=(("user", whole),), candidates=(candidate,))
    )


def _a_round(store: Store) -> None:
    """Failed, for reasons of payloads alone."""
    store.request_round(trigger="operator", actor=PAYLOADS[1])
    claim = store.claim_round("holder", 60)
    assert claim is not None
    store.progress(claim, stage="ppo", step=2, steps=2, eta_s=0)
    for step in (1, 2):
        store.add_metrics(claim, stage="ppo", step=step, values={"reward": step, "kl": 0.1 * step})
    reasons = [Reason(payload, i % 2 == 0, i, 1, payload) for i, payload in enumerate(PAYLOADS)]
    store.finish_round(claim, outcome="failed", reasons=reasons, error=PAYLOADS[3])


def _a_version(store: Store, text: str) -> str:
    id = store.next_id("v")
    store.register_version(id, digest="d", parent="v0", kind="full")
    store.verify(id, actor=PAYLOADS[2], reason=text)
    return id


def _texts(candidates: Sequence[Any], texts: Sequence[str]) -> tuple[Any, ...]:
    return tuple(replace(one, text=text) for one, text in zip(candidates, texts, strict=True))


def _parcels(texts: Sequence[str], longest: int) -> list[str]:
    """Joined, as many at a time as fit."""
    parcels = [""]
    for text in texts:
        if len(parcels[-1]) + len(text) > longest:
            parcels.append("")
        parcels[-1] += f"{text}\n"
    return parcels
