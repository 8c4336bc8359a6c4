"""Who allows that they are learned from, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from feedback.consents import TEXT_VERSION
from feedback.errors import StoreError
from feedback.store import Store
from tests.exchanged import asked, brought, fill
from tests.feedback_databases import execute


@pytest.fixture
def careful(url: str) -> Iterator[Store]:
    """A store whose people have to opt in."""
    store = Store.open(url, opt_in=True)
    yield store
    store.close()


def say(store: Store, person: str, given: bool) -> None:
    store.say_consent(person, given=given, version=TEXT_VERSION)


def ranked(store: Store, id: str, person: str = "ann") -> None:
    asked(store, id, ["A", "B"], (("user", id),))
    store.add_ranking(person=person, completion_id=id, ranks=[1, 2])


def learned(store: Store) -> list[str]:
    """The prompts of the rankings that a round would learn from."""
    return [ranking.messages[0][1] for ranking in store.training_rankings()]


def test_silence_is_consent_only_where_nobody_has_to_opt_in(store: Store, careful: Store) -> None:
    """The same person, the same database: it is the opening that says which."""
    assert (store.consent("ann").holds, careful.consent("ann").holds) == (True, False)
    assert careful.consent("ann").given is None


def test_what_is_asked_before_a_yes_is_never_learned(careful: Store) -> None:
    """c1 came before, c2 after it; a later yes does not change what was recorded."""
    ranked(careful, "c1")
    say(careful, "ann", True)
    ranked(careful, "c2")
    assert learned(careful) == ["c2"]
    assert careful.waiting().count == 1
    assert [prompt.messages[0][1] for prompt in careful.logged_prompts(9)] == ["c2"]


def test_who_ranks_has_to_consent_as_well(careful: Store) -> None:
    """Ann's answers, ranked and marked by bob, who has said nothing, and his demonstration."""
    say(careful, "ann", True)
    ranked(careful, "c1", person="bob")
    careful.add_marks(person="bob", candidate="c1-0", values={"thumb": 1.0})
    shown = (("user", "hi"), ("assistant", "Hello."))
    careful.add_demonstration(person="bob", messages=shown, conversation_id="d")
    assert learned(careful) == []
    assert careful.training_marks(["thumb"]) == []
    assert careful.training_demonstrations() == []


def test_a_no_ends_it_for_all_that_was_said_before(store: Store) -> None:
    """Ann's no keeps out her prompts, her rankings and bob's of answers to her (all but none);
    bob's ratings of his own stay. A yes brings back what had been consented to.
    """
    fill(store)
    before = learned(store)
    say(store, "ann", False)
    assert (learned(store), store.waiting().count) == ([], 0)
    assert [marked.person for marked in store.training_marks(["helpful"])] == ["bob"]
    assert (store.training_marks(["thumb"]), store.training_demonstrations()) == ([], [])
    assert [prompt.messages[-1][1] for prompt in store.logged_prompts(9)] == ["why?"]
    say(store, "ann", True)
    assert learned(store) == before


def test_an_interrupted_round_goes_on_without_who_said_no(store: Store) -> None:
    """What it had written down of ann's is not read back."""
    store.install_base(digest="d0")
    ranked(store, "c1")
    store.request_round(trigger="operator", actor="op")
    claim = store.claim_round("learner", 60)
    assert claim is not None
    store.use_rankings(claim, [ranking.ranking_id for ranking in store.training_rankings()])
    say(store, "ann", False)
    assert store.used_rankings(claim.round_id) == []


def test_a_yes_is_to_the_text_of_now(careful: Store, url: str) -> None:
    """To another version it is refused, and one that was given to an earlier text does not hold."""
    with pytest.raises(StoreError, match="the text is version"):
        careful.say_consent("ann", given=True, version="0")
    say(careful, "ann", True)
    assert careful.consent("ann").holds
    execute(url, "UPDATE consent SET text_version = '0'")
    assert (careful.consent("ann").given, careful.consent("ann").holds) == (True, False)


def test_whoever_brings_a_file_answers_for_it(careful: Store) -> None:
    """Imported lines are learned from though `import:file` never said a word."""
    line = {"prompt": "hi", "chosen": "A", "rejected": "B"}
    brought(careful, "trl-preference", [line], "import:file")
    assert learned(careful) == ["hi"]
