"""`rankloop import --format prompts`: a file in parts, nothing lost between them."""

from __future__ import annotations

from typing import Any

import pytest

from rankloop_prompts import PART_LINES, parts, send
from rankloop_settings import UserError


def test_a_file_goes_in_parts_of_a_thousand_lines() -> None:
    """2,001 prompts are three parts; each knows its lines, blank ones left out."""
    text = "\n" + "\n".join('{"prompt": "a"}' for _ in range(2 * PART_LINES + 1))
    found = list(parts(text))
    assert [len(part.prompts) for part in found] == [1000, 1000, 1]
    assert (found[0].lines[0], found[2].lines) == (2, (2002,))


def test_a_part_is_no_larger_than_the_server_takes() -> None:
    """Three prompts of 300,000 bytes: a part of at most 524,288 holds one of them."""
    text = "\n".join('{"prompt": "' + "a" * 300_000 + '"}' for _ in range(3))
    assert [len(part.prompts) for part in parts(text)] == [1, 1, 1]


@pytest.mark.parametrize("line", ["no", "[]", '"text"'])
def test_a_line_that_is_no_object_is_named(line: str) -> None:
    """By its number."""
    with pytest.raises(UserError, match="line 2 is n"):
        list(parts('{"prompt": "a"}\n' + line))


def test_new_and_known_ones_are_counted_over_the_parts() -> None:
    """Two parts of which the server knew one prompt each: 1,001 lines, 999 new, 2 known."""

    def post(**body: Any) -> dict[str, int]:
        assert body["set"] == "week 1"
        return {"added": len(body["prompts"]) - 1, "known": 1}

    text = "\n".join('{"prompt": "a"}' for _ in range(PART_LINES + 1))
    assert send(text, "week 1", post) == (999, 2)


def test_a_refusal_says_which_lines_it_is_about() -> None:
    """The server names the prompt within the part, the command the part."""

    def post(**_body: Any) -> None:
        raise UserError("prompts[1] is not a prompt")

    with pytest.raises(UserError, match=r"lines 1 to 2: prompts\[1\]"):
        send('{"prompt": "a"}\n{}', "week 1", post)
