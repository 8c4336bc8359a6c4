"""Lines as the field's own files have them, and what is refused of them. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from feedback.exchange import lines
from feedback.exchange.formats import FORMATS
from feedback.exchange.lines import Lines, NumberedLine, digest, parse
from feedback.exchange.values import Compared, Judged, Shown, UnreadableLine


def read(format: str, row: dict[str, Any]) -> list[Any]:
    return list(FORMATS[format].read(row))


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


HI, HELLO = turn("user", "hi"), turn("assistant", "Hello.")


def test_trl_preferences_may_leave_the_prompt_in_both_conversations() -> None:
    """The implicit prompt is what both begin with; a prompt that is a text is a user's turn."""
    worse = turn("assistant", "No.")
    [said] = read("trl-preference", {"chosen": [HI, HELLO], "rejected": [HI, worse]})
    assert said == Compared((("user", "hi"),), ("Hello.", "No."), (1, 2))
    assert read("trl-preference", {"prompt": "hi", "chosen": "Hello.", "rejected": "No."}) == [said]


def test_a_transcript_is_split_at_its_turns() -> None:
    """Four turns; line breaks inside of one stay, and one space after a name is the format's."""
    asked = "\n\nHuman: hi\n\nAssistant: Hello.\nYes?\n\nHuman:  why\n\nAssistant:"
    [said] = read("hh", {"chosen": f"{asked} So.", "rejected": f"{asked} No."})
    assert said.messages == (("user", "hi"), ("assistant", "Hello.\nYes?"), ("user", " why"))
    assert said.answers == ("So.", "No.")


def test_what_a_transcript_cannot_hold_is_not_written() -> None:
    """A system's turn, and a text that reads as the beginning of another turn."""
    kind = (("system", "Be kind."), ("user", "hi"))
    for messages, answer in ((kind, "A"), ((("user", "hi"),), "A\n\nHuman: B")):
        assert list(FORMATS["hh"].write(Compared(messages, (answer, "C"), (1, 2)))) == []


def node(role: str, text: str, rank: int | None = None, *replies: Any, **more: Any) -> Any:
    return {"role": role, "text": text, "rank": rank, "replies": list(replies), **more}


def test_a_tree_holds_a_ranking_at_each_of_its_prompts() -> None:
    """Two answers to the root, two to what was asked after the better one, of which a third is
    deleted; an answer without a rank is unranked. Ranks begin at 0 there and at 1 here.
    """
    later = node(
        "prompter", "and?", None, node("assistant", "X", 1), node("assistant", "Y", 0),
        node("assistant", "spam", 2, deleted=True),
    )  # fmt: skip
    root = node(
        "prompter", "hi", None, node("assistant", "A", 0, later), node("assistant", "B", 1),
        node("assistant", "C"),
    )  # fmt: skip
    first, second = read("oasst", {"message_tree_id": "t", "prompt": root})
    assert first == Compared((("user", "hi"),), ("A", "B", "C"), (1, 2, None))
    path = (("user", "hi"), ("assistant", "A"), ("user", "and?"))
    assert second == Compared(path, ("X", "Y"), (2, 1))


def completion(response: str, score: float | None, helpful: str, system: str) -> dict[str, Any]:
    return {
        "model": "m",
        "response": response,
        "custom_system_prompt": system,
        "overall_score": score,
        "annotations": {"helpfulness": {"Rating": helpful, "Rationale": "..."}},
    }


def test_ultrafeedback_orders_by_the_overall_score() -> None:
    """8.5 is best, two of 7.0 tie; "N/A" is no rating; models' own system prompts are left out."""
    completions = [
        completion("A", 7.0, "4", "You are x."),
        completion("B", 8.5, "5", "You are y."),
        completion("C", 7.0, "N/A", "You are z."),
    ]
    [said] = read("ultrafeedback", {"instruction": "hi", "completions": completions})
    ratings = {"helpfulness": (4.0, 5.0, None)}
    assert said == Compared((("user", "hi"),), ("A", "B", "C"), (2, 1, 2), ratings)


def test_ultrafeedback_without_scores_is_ratings_alone() -> None:
    """A system prompt that all completions have is the conversation's."""
    completions = [completion("A", None, "4", "Be kind."), completion("B", None, "2", "Be kind.")]
    [said] = read("ultrafeedback", {"instruction": "hi", "completions": completions})
    messages = (("system", "Be kind."), ("user", "hi"))
    assert said == Judged(messages, ("A", "B"), {"helpfulness": (4.0, 2.0)})


def test_openais_developer_speaks_as_the_system() -> None:
    """Tools beside the messages are left out."""
    row = {"messages": [turn("developer", "Be kind."), HI, HELLO], "tools": []}
    messages = (("system", "Be kind."), ("user", "hi"), ("assistant", "Hello."))
    assert read("openai-messages", row) == [Shown(messages)]


SAID, TOLD = "\n\nHuman:", "\n\nAssistant:"
ONE = node("assistant", "A", 0)


@pytest.mark.parametrize(
    ("format", "row", "reason"),
    [
        ("openai-messages", {"messages": [HI, {**HELLO, "weight": 0}]}, "weight 0"),
        ("openai-messages", {"messages": [HI]}, "must end with an assistant's turn"),
        ("openai-messages", {"messages": [HI, turn("tool", "x")]}, r"messages\[1\].role"),
        ("openai-preference", {"input": {"messages": [HELLO]}}, "must end with a user's turn"),
        ("openai-preference", {"input": []}, "input must be an object"),
        ("trl-unpaired", {"prompt": "p", "completion": "c", "label": 1}, "true or false"),
        ("trl-preference", {"chosen": [HI, HELLO], "rejected": [HELLO]}, "rejected without"),
        ("hh", {"chosen": "Hello.", "rejected": "No."}, "must begin with"),
        ("hh", {"chosen": f"{SAID} a{TOLD} b", "rejected": f"{SAID} c{TOLD} d"}, "differ before"),
        ("oasst", {"prompt": node("prompter", "hi", None, ONE)}, "two ranked"),
        ("oasst", {"prompt": node("robot", "hi")}, "a role must be"),
        ("ultrafeedback", {"instruction": "i", "completions": [completion("A", 1.0, "N/A", "")]},
         "neither"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(format: str, row: dict[str, Any], reason: str) -> None:
    """The reason names the field, or what is missing."""
    with pytest.raises(UnreadableLine, match=reason):
        read(format, row)


def test_lines_are_cut_wherever_the_pieces_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blank lines are counted, a line that is too long (above 8 bytes here) is passed over, and the
    last needs no newline.
    """
    monkeypatch.setattr(lines, "LONGEST", 8)
    cutter = Lines()
    found = [
        line
        for piece in (b'{"a"', b":1}\n\n", b"x" * 20, b"\n12\n3")
        for line in cutter.feed(piece)
    ]
    found += cutter.finish()
    assert [(line.number, line.text) for line in found] == [
        (1, b'{"a":1}'), (3, None), (4, b"12"), (5, b"3"),
    ]  # fmt: skip
    with pytest.raises(UnreadableLine, match="longer than"):
        parse(found[1])


@pytest.mark.parametrize("text", [b"{", b"[1]", b'{"a": NaN}', b'"\xff"', b"[" * 100_000])
def test_what_is_no_object_is_unreadable(text: bytes) -> None:
    """Broken JSON, another value, a number that JSON lacks, no UTF-8, brackets without end."""
    with pytest.raises(UnreadableLine):
        parse(NumberedLine(1, text))


def test_a_digest_goes_by_what_a_line_says() -> None:
    """Not by its spaces or the order of its fields; another format makes it another line."""
    one, other = (parse(NumberedLine(1, text)) for text in (b'{"a":1,"b":2}', b'{"b": 2, "a": 1}'))
    assert digest("hh", one) == digest("hh", other) != digest("oasst", one)
