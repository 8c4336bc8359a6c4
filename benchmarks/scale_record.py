"""How many bytes a request, and a ranking, take in a record: of a real database, filled through the
store that the server writes with.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from feedback.database import connect
from feedback.records import CandidateRecord, GenerationRecord
from feedback.store import Store

SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}
ANSWERS = 4
WORD = " word"
"""The text of a token: about four letters."""


@dataclass(frozen=True)
class Growth:
    """Bytes of a request with one answer, and of a comparison: a request with four, ranked."""

    request: float
    ranking: float


def measure(url: str, prompt: int, answer: int, *, count: int = 400) -> Growth:
    """Of requests with so many tokens, on an empty database."""
    store = Store.open(url)
    store.install_base(digest="d")
    try:
        sizes = [_size(url)]
        for number in range(count):
            store.record_generation(_generation(f"a{number}", prompt, answer, 1))
        sizes.append(_size(url))
        for number in range(count):
            store.record_generation(_generation(f"b{number}", prompt, answer, ANSWERS))
            store.add_ranking(
                person=f"person {number % 20}",
                completion_id=f"b{number}",
                ranks=[1, 2, 2, 3],
                idempotency_key=f"k{number}",
            )
        sizes.append(_size(url))
    finally:
        store.close()
    return Growth((sizes[1] - sizes[0]) / count, (sizes[2] - sizes[1]) / count)


def _size(url: str) -> int:
    engine = connect(url)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return int(connection.execute(text(SIZE[engine.dialect.name])).scalar_one())
    finally:
        engine.dispose()


def _generation(id: str, prompt: int, answer: int, answers: int) -> GenerationRecord:
    tokens = tuple(range(answer))
    return GenerationRecord(
        id=id,
        conversation_id=f"conversation of {id}",
        person="person",
        consented=True,
        version="v0",
        digest="d" * 64,
        messages=(("user", f"{id}{WORD * prompt}"),),
        prompt_ids=tuple(range(prompt)),
        params={"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 256, "n": answers},
        seed=1,
        template_hash="t" * 64,
        candidates=tuple(
            CandidateRecord(
                id=f"{id}-{index}",
                index=index,
                text=WORD * answer,
                token_ids=tokens,
                logps=tuple(-0.5 for _ in tokens),
                raw_logps=tuple(-0.75 for _ in tokens),
                finish_reason="stop",
            )
            for index in range(answers)
        ),
        created_at=1000.0,
    )
