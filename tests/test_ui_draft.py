"""A demonstration in the making."""

from __future__ import annotations

from ui.draft import Draft


def draft(*turns: str) -> Draft:
    made = Draft()
    for turn in turns:
        made.add(turn)
    return made


def test_sides_take_turns() -> None:
    """A person begins; it shows something once it ends with an answer."""
    made = draft("Hello", "Hi")
    assert [(m.role, m.content) for m in made.messages()] == [
        ("user", "Hello"),
        ("assistant", "Hi"),
    ]
    assert made.finished
    assert not draft("Hello", "Hi", "And?").finished
    assert not Draft().finished


def test_it_comes_back_as_it_was_kept() -> None:
    """Through the browser's storage; spaces say nothing."""
    made = draft("Hello", "  ")
    made.system = "Be brief."
    assert Draft.recall(made.keep()) == made
    assert made.answering


def test_an_answer_that_began_as_the_models_is_an_edited_one() -> None:
    """As long as it is the last and answers the same messages."""
    made = draft("Hello")
    made.suggest("c1")
    made.add("Hi, better")
    assert made.candidate == "c1"
    made.add("And?")
    assert made.candidate is None
    assert made.take_back() == "And?"
    assert made.candidate == "c1"
    made.take_back()
    assert made.take_back() == "Hello"
    made.add("Another question")
    made.add("Hi")
    assert made.candidate is None


def test_what_changes_is_another_demonstration() -> None:
    """A retry has the same key, a longer conversation another."""
    made = draft("Hello", "Hi")
    before = made.key
    assert Draft.recall(made.keep()).key == before
    made.add("And?")
    assert made.key != before
