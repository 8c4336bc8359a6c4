"""What a person takes back, on both databases."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from feedback.errors import IllegalMove, UnknownCandidate
from feedback.exchange.formats import OWN
from feedback.labelling import PromptSource, Terms
from feedback.records import Claim
from feedback.store import Store
from tests.exchanged import asked, brought, fill
from tests.feedback_databases import execute


def claimed(store: Store) -> Claim:
    """A round that has begun."""
    store.request_round(trigger="operator", actor="op")
    claim = store.claim_round("learner", 60)
    assert claim is not None
    return claim


def learned(store: Store, version: str, parent: str) -> int:
    """A round that used every ranking, mark and demonstration there is and published a version."""
    claim = claimed(store)
    store.use_rankings(claim, [ranked.ranking_id for ranked in store.training_rankings()])
    store.use_marks(claim, [id for m in store.training_marks(["thumb"]) for id in m.mark_ids])
    store.use_demonstrations(claim, [shown.id for shown in store.training_demonstrations()])
    store.use_prompts(claim, 10)
    store.register_version(
        version, digest=version, parent=parent, kind="full", round_id=claim.round_id, claim=claim
    )
    store.finish_round(claim, outcome="verified", version_id=version)
    return claim.round_id


def test_the_next_round_learns_without_what_was_taken_back(store: Store) -> None:
    """Ann takes back c1 and c2 with her three rankings' worth, so bob's ranking of c2 has nothing
    to compare; of what was said, bob's own marks stay. His demonstration edits an answer to her.
    """
    fill(store)
    erased = store.erase("ann")
    assert (erased.requests, erased.rankings, erased.marks, erased.demonstrations) == (2, 2, 2, 1)
    assert store.training_rankings() == []
    assert store.training_marks(["thumb"]) == []
    assert [marked.person for marked in store.training_marks(["helpful"])] == ["bob"]
    assert store.training_demonstrations() == []
    assert [prompt.messages[-1] for prompt in store.logged_prompts(9)] == [("user", "why?")]
    assert (store.waiting().count, store.waiting_thumbs().count) == (0, 0)
    assert store.waiting_demonstrations().count == 0


def test_others_keep_what_they_were_answered(store: Store) -> None:
    """Bob takes back: ann's last ranking of c1, her marks and her demonstration stay."""
    fill(store)
    before = [ranked for ranked in store.training_rankings() if ranked.person == "ann"]
    assert store.erase("bob").requests == 1
    assert store.training_rankings() == before
    assert len(store.training_marks(["thumb"])) == 2
    assert [shown.person for shown in store.training_demonstrations()] == ["ann"]


def test_rounds_and_versions_that_used_it_are_told_and_stay(store: Store) -> None:
    """Round 1 used ann's and made v1, from which v2 was made without her; its inputs are listed
    still, as nobody's, and cannot be repeated: nothing of them is left.
    """
    store.install_base(digest="d0")
    asked(store, "c1", ["A", "B"])
    store.add_ranking(person="ann", completion_id="c1", ranks=[1, 2])
    first = learned(store, "v1", "v0")
    second = claimed(store)
    store.register_version(
        "v2", digest="2", parent="v1", kind="full", round_id=second.round_id, claim=second
    )
    store.finish_round(second, outcome="verified", version_id="v2")
    erased = store.erase("ann")
    assert (erased.rounds, erased.versions) == ((first,), ("v1", "v2"))
    assert [info.person for info in store.round_inputs(first)] == ["deleted"]
    assert store.used_rankings(first) == []
    with pytest.raises(IllegalMove, match="no rankings that are still there"):
        store.repeat_round(first, actor="op")


def test_an_interrupted_round_goes_on_without_it(store: Store) -> None:
    """Its rankings were written down before; who claims it next reads bob's alone."""
    store.install_base(digest="d0")
    for id, person in (("c1", "ann"), ("c2", "bob")):
        asked(store, id, ["A", "B"], (("user", id),), person=person)
        store.add_ranking(person=person, completion_id=id, ranks=[1, 2])
    claim = claimed(store)
    store.use_rankings(claim, [ranked.ranking_id for ranked in store.training_rankings()])
    store.use_prompts(claim, 10)
    store.erase("ann")
    assert [ranked.person for ranked in store.used_rankings(claim.round_id)] == ["bob"]
    assert [prompt.messages for prompt in store.use_prompts(claim, 10)] == [(("user", "c2"),)]


def test_the_answers_are_gone(store: Store, url: str) -> None:
    """No name, word, token or figure of ann's is in any table, and nobody can rank or edit them."""
    fill(store)
    store.erase("ann")
    with pytest.raises(UnknownCandidate):
        store.candidate("c1-0")
    with pytest.raises(UnknownCandidate):
        store.add_ranking(person="bob", candidates=["c1-0", "c1-1"], ranks=[1, 2])
    with pytest.raises(UnknownCandidate):
        store.add_marks(person="bob", candidate="c1-0", values={"thumb": 1.0})
    left = "length(token_ids) + length(logps) + length(raw_logps)"
    [[tokens]] = execute(url, f"SELECT sum({left}) FROM candidate WHERE generation_id != 'c3'")
    assert tokens == 0
    for table in ("generation", "ranking", "mark", "demonstration"):
        [[count]] = execute(url, f"SELECT count(*) FROM {table} WHERE person = 'ann'")
        assert count == 0, table
    exported = "".join(map(str, store.export(OWN)))
    assert "né" not in exported
    assert "ann" not in exported


def test_sqlite_keeps_no_trace_in_its_files(tmp_path: Path) -> None:
    """Neither the database nor its log holds the bytes, long or short."""
    store = Store.open(f"sqlite:///{tmp_path / 'rankloop.db'}")
    secret = "my secret is marmalade"
    asked(store, "c1", [secret, "short"], (("user", f"{secret} " * 2000),))
    store.add_ranking(person="ann", completion_id="c1", ranks=[1, 2], comment=secret)
    files = [tmp_path / "rankloop.db", tmp_path / "rankloop.db-wal"]
    assert any(b"marmalade" in file.read_bytes() for file in files)
    store.erase("ann")
    assert not any(b"marmalade" in file.read_bytes() for file in files if file.exists())
    store.close()


def test_what_was_imported_and_taken_back_is_not_imported_again(store: Store) -> None:
    """Its lines are known still."""
    line = {"prompt": "hi", "chosen": "A", "rejected": "B"}
    brought(store, "trl-preference", [line], "import:file")
    assert store.erase("import:file").rankings == 1
    assert brought(store, "trl-preference", [line], "import:file").known == 1
    assert store.training_rankings() == []


def test_the_queue_forgets_a_person(store: Store, url: str) -> None:
    """Ann's unanswered prompt is gone, items of answers to her are nobody's, and she has labelled
    none; the prompt of bob waits on.
    """
    store.add_prompts("week", [(("user", "ann asks"),)], person="ann")
    store.add_prompts("week", [(("user", "bob asks"),)], person="bob")
    asked(store, "c1", ["A", "B"])
    source = PromptSource("d", (("user", "hi"),), "ann", "talk", None)
    store.add_task(source, ["c1-0", "c1-1"], version="v0", wanted=2)
    item = store.next_task("ann", Terms(lease_s=60), Random(0))
    assert item is not None
    store.skip_task(str(item.id), person="ann", reason="private words")
    store.show_answers("ann", ["c1-0"])
    store.erase("ann")
    assert store.next_task("bob", Terms(lease_s=60), Random(0)) is None
    left = store.next_source("v0")
    assert left is not None
    assert left.messages == (("user", "bob asks"),)
    for table in ("task_lease", "task_skip", "prompt", "shown_answer"):
        rows = execute(url, f"select * from {table}")
        assert "ann" not in str(rows)
