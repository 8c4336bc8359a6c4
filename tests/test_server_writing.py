"""Text as it comes: stop strings, and characters that come in halves."""

from __future__ import annotations

import pytest

from server.decode.writing import Writer


class Words:
    """A detokenizer whose tokens are indices into a list of texts."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def push(self, token: int) -> str:
        return self.texts[token]

    def flush(self) -> str:
        return ""


def written(stops: list[str], *texts: str) -> tuple[list[str], bool]:
    """What was shown after each token and at the end, and whether a stop string ended it."""
    writer = Writer(Words(*texts), stops)
    shown = []
    for token in range(len(texts)):
        shown.append(writer.push(token))
        if writer.stopped:
            return shown, True
    return [*shown, writer.finish()], False


def test_text_without_stop_strings_is_shown_at_once() -> None:
    """Nothing is held back when there is nothing to look for."""
    assert written([], "Hel", "lo") == (["Hel", "lo", ""], False)


def test_stop_string_within_one_token() -> None:
    """What stands before it is shown, it and what follows are not."""
    assert written(["END"], "a", "b END c") == (["a", "b "], True)


def test_stop_string_across_three_tokens_shows_no_part_of_itself() -> None:
    """ "</s>" comes as "<", "/s", ">": nothing of it is ever shown."""
    assert written(["</s>"], "hi <", "/s", ">") == (["hi ", "", ""], True)


def test_beginning_of_a_stop_string_that_is_none_is_shown_late() -> None:
    """ "EN" is held until "F" shows that it is no "END"."""
    assert written(["END"], "EN", "F") == (["", "ENF", ""], False)


def test_beginning_left_at_the_end_is_shown() -> None:
    """The answer ends with half a stop string: it is text after all."""
    assert written(["END"], "the EN") == (["the ", "EN"], False)


def test_first_of_several_stop_strings_counts() -> None:
    """Both are in one token: the text ends before the earlier one."""
    assert written(["bb", "aa"], "x aa bb") == (["x "], True)


def test_overlapping_beginning_is_kept() -> None:
    """ "aab" in "aaab": after "aaa" only "aa" can begin it, so one "a" is shown."""
    assert written(["aab"], "aa", "a", "b") == (["", "a", ""], True)


@pytest.mark.parametrize("cut", range(1, 9))
def test_any_split_gives_the_same_text(cut: int) -> None:
    """The text is "ab" wherever the token border lies in "abSTOPcd" or after it."""
    text = "abSTOPcdef"
    shown, stopped = written(["STOP"], text[:cut], text[cut:])
    assert ("".join(shown), stopped) == ("ab", True)
