"""The way back into an earlier conversation."""

from __future__ import annotations

from ui import history
from ui.wire import PastTurn


def turn(id: str, parent: str | None, role: str, at: float, rank: int | None = None) -> PastTurn:
    """A turn that says its own name."""
    values = {"id": id, "parent": parent, "role": role, "text": id, "at": at, "rank": rank}
    return PastTurn.model_validate(values)


def names(paths: list[list[PastTurn]]) -> list[str]:
    return [" ".join(turn.id for turn in path) for path in paths]


def test_a_conversation_ends_with_the_best_ranked_answer() -> None:
    """Of three last answers the one of rank 1, not the first."""
    answers = [turn(id, "q", "assistant", 1.0, rank) for id, rank in (("a", 2), ("b", 1), ("c", 3))]
    assert names(history.paths([turn("q", None, "user", 1.0), *answers])) == ["q b"]


def test_unranked_answers_end_with_the_first() -> None:
    """As the chat does after a skip."""
    answers = [turn(id, "q", "assistant", 1.0) for id in "ab"]
    assert names(history.paths([turn("q", None, "user", 1.0), *answers])) == ["q a"]


def test_each_way_that_it_went_is_a_path() -> None:
    """An edited second message: two ends, the later first."""
    turns = [
        turn("q", None, "user", 1.0),
        turn("a", "q", "assistant", 1.0),
        turn("more", "a", "user", 2.0),
        turn("b", "more", "assistant", 2.0),
        turn("other", "a", "user", 3.0),
        turn("c", "other", "assistant", 3.0),
    ]
    assert names(history.paths(turns)) == ["q a other c", "q a more b"]


def test_a_conversation_comes_back_as_the_page_shows_one() -> None:
    """The system prompt stands apart; it goes on under its name."""
    path = [turn("be brief", None, "system", 1.0), turn("q", "be brief", "user", 1.0)]
    found = history.conversation("talk", path)
    assert (found.id, found.system, [t.text for t in found.turns]) == ("talk", "be brief", ["q"])
