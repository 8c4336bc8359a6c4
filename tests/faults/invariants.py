"""What must be so after any fault, once the product runs again and is done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from feedback.store import Store
from policy.versions import CorruptVersion, UnknownVersion
from tests.faults.ground import SECRET, Folder
from tests.feedback_databases import execute
from tests.test_learner_round import WORDS


def broken(folder: Folder, acknowledged: Sequence[int]) -> list[str]:
    """What is not as it must be, in words; nothing is good."""
    store = folder.store
    return [
        *_rankings(folder, acknowledged),
        *_used(store),
        *_pointer(folder, store),
        *_folders(folder, store),
        *_rounds(folder, store),
        *_told(folder, store),
    ]


def _rankings(folder: Folder, acknowledged: Sequence[int]) -> Iterator[str]:
    """Each ranking that somebody was told is kept is on record, and none twice."""
    rows = [row[0] for row in execute(folder.url, "SELECT id FROM ranking ORDER BY id")]
    if lost := set(acknowledged) - set(rows):
        yield f"rankings are lost: {sorted(lost)}"
    if len(set(acknowledged)) != len(acknowledged):
        yield "one ranking was acknowledged for two"
    [pairs] = execute(
        folder.url,
        "SELECT count(*) FROM (SELECT idempotency_key FROM ranking WHERE idempotency_key IS NOT "
        "NULL GROUP BY person, idempotency_key HAVING count(*) > 1) AS twice",
    )
    if pairs[0]:
        yield f"{pairs[0]} rankings are kept twice"


def _used(store: Store) -> Iterator[str]:
    """What waits is exactly what no round that is done has used."""
    done = [r.id for r in store.rounds() if r.state == "done" and r.repeat_of is None]
    used = {row.ranking_id for id in done for row in store.round_inputs(id)}
    total, on_record = store.waiting().count + len(used), len(store.training_rankings())
    if total != on_record:
        yield f"{total} rankings wait or were used, of {on_record}"


def _pointer(folder: Folder, store: Store) -> Iterator[str]:
    live = store.live()
    try:
        digest = folder.versions.verify(live.version).digest
    except (UnknownVersion, CorruptVersion) as error:
        yield f"what is live does not verify: {error}"
    else:
        if digest != store.version(live.version).digest:
            yield f"{live.version} has another digest than on record"


def _folders(folder: Folder, store: Store) -> Iterator[str]:
    """Every folder is a version on record, and every version on record a folder."""
    there = {path.name for path in folder.versions.root.iterdir()} - {".lock"}
    known = {v.id for v in (*store.versions(), *store.versions(reward=True))}
    if there != known:
        yield f"folders {sorted(there)} for versions {sorted(known)}"
    states = folder.data / "rounds"
    if left := [path.name for path in states.glob("*")]:
        yield f"states of rounds are left: {left}"


def _rounds(folder: Folder, store: Store) -> Iterator[str]:
    """None runs, and none has two versions that could serve."""
    for row in store.rounds():
        if row.state in ("queued", "running"):
            yield f"round {row.id} is {row.state}"
    twice = execute(
        folder.url,
        "SELECT round_id FROM version WHERE round_id IS NOT NULL AND kind <> 'reward' "
        "AND state <> 'failed' GROUP BY round_id HAVING count(*) > 1",
    )
    if twice:
        yield f"rounds with two versions: {twice}"
    if store.learner().lease is not None:
        yield "the lease is held"


def _told(folder: Folder, store: Store) -> Iterator[str]:
    """No log and no error shows the key or what somebody asked."""
    texts = {path.name: path.read_text(errors="replace") for path in folder.data.glob("*.log")}
    texts["errors"] = " ".join(filter(None, (row.error for row in store.rounds())))
    asked = re.compile(rf"(?:\b(?:{'|'.join(WORDS)})\b ?){{4}}")
    for name, text in texts.items():
        if SECRET in text:
            yield f"{name} shows the key"
        if found := asked.search(text):
            yield f"{name} shows a prompt: {found[0]}"
