"""feedback.conversations, through the store, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from feedback.errors import InvalidText, NotFound, UnknownCandidate
from feedback.preferences import split_of
from feedback.store import Store
from tests.feedback_databases import a_candidate, a_generation


def test_a_generation_reads_back_as_it_was_recorded(store: Store) -> None:
    """Texts, token ids, log-probabilities, parameters and a 41-bit seed are kept exactly."""
    record = a_generation()
    store.record_generation(record)
    assert store.generation("c1") == record


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "naïve 🙂", "${HOME}\n</script>"])
def test_any_text_that_a_model_or_a_person_can_produce_is_kept(store: Store, text: str) -> None:
    """U+0000, which PostgreSQL's text type refuses, and half a surrogate pair included."""
    answer = replace(a_candidate("k", 0), text=text)
    record = replace(a_generation(prompt="p"), messages=(("user", text),), candidates=(answer,))
    store.record_generation(record)
    assert store.generation("c1") == record


def test_a_candidate_comes_with_its_generation(store: Store) -> None:
    """What it takes to re-score it is there: prompt ids, tokens, version and digest."""
    store.record_generation(a_generation())
    candidate = store.candidate("c1-2")
    assert (candidate.index, candidate.token_ids) == (2, (2, 2**31 - 1))
    assert (candidate.logps, candidate.raw_logps) == ((-0.5, -0.25), (-0.75, -1.5))
    assert (candidate.generation_id, candidate.prompt_ids) == ("c1", (104, 105))
    assert (candidate.version, candidate.digest) == ("v0", "digest of v0")


def test_an_unknown_id_is_named(store: Store) -> None:
    """The errors carry the value that was asked for."""
    with pytest.raises(UnknownCandidate, match="'nobody'") as unknown:
        store.candidate("nobody")
    assert unknown.value.value == "nobody"
    with pytest.raises(NotFound, match="'nothing'"):
        store.generation("nothing")


@pytest.mark.parametrize("person", ["", "x" * 257, "a\0b", "\udfff"])
def test_a_person_needs_a_name_that_every_database_can_keep(store: Store, person: str) -> None:
    """Empty, too long, U+0000 and half a surrogate pair are refused, and nothing is stored."""
    with pytest.raises(InvalidText) as refused:
        store.record_generation(a_generation(person=person))
    assert (refused.value.param, refused.value.value) == ("user", person)
    assert store.logged_prompts(10) == []


def test_logged_prompts_are_distinct_and_the_last_asked_comes_first(store: Store) -> None:
    """ "a" was asked twice, the second time after "b"."""
    for place, prompt in enumerate(["a", "b", "a", "c"]):
        store.record_generation(a_generation(f"c{place}", prompt=prompt, at=float(place)))
    prompts = store.logged_prompts(10)
    assert [prompt.messages[1][1] for prompt in prompts] == ["c", "a", "b"]
    assert prompts[1].conversation_id == "conversation of c2"
    assert [prompt.split for prompt in prompts] == [split_of(text) for text in "cab"]
    assert len(store.logged_prompts(2)) == 2


def test_prompts_without_consent_are_not_for_training(store: Store) -> None:
    """A prompt that two people asked is drawn from the one who consented, or not at all."""
    store.record_generation(a_generation("c1", prompt="a", consented=False, at=2.0))
    store.record_generation(a_generation("c2", prompt="a", at=1.0))
    store.record_generation(a_generation("c3", prompt="b", consented=False))
    assert [prompt.conversation_id for prompt in store.logged_prompts(9)] == ["conversation of c2"]
