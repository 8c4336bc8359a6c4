"""feedback.preferences."""

from __future__ import annotations

import pytest

from feedback.preferences import (
    Answer,
    Comparison,
    RankedPrompt,
    agreement,
    comparisons,
    first_user_message,
    normalise,
    split_of,
)


def ranked(*ranks: int | None) -> RankedPrompt:
    """A ranking with these ranks."""
    answers = tuple(Answer(f"k{place}", "text", (1,), "v0") for place in range(len(ranks)))
    return RankedPrompt(1, "conversation", "ann", "train", (("user", "hi"),), (1,), answers, ranks)


def test_three_ranked_answers_give_three_pairs_of_a_third_each() -> None:
    """Ranks 2, 1, 3: the second beats both, the first beats the third; C(3,2) = 3."""
    third = 1 / 3
    assert comparisons(ranked(2, 1, 3)) == [
        Comparison(1, 0, third, False),
        Comparison(0, 2, third, False),
        Comparison(1, 2, third, False),
    ]


def test_equal_ranks_are_a_tie() -> None:
    """Two answers of one rank give one comparison, marked as a tie, of the whole weight."""
    assert comparisons(ranked(1, 1)) == [Comparison(0, 1, 1.0, True)]


def test_an_unranked_answer_is_in_no_pair() -> None:
    """Ranks 2, null, 1 leave one pair: the third answer over the first."""
    assert comparisons(ranked(2, None, 1)) == [Comparison(2, 0, 1.0, False)]


@pytest.mark.parametrize("ranks", [(None, None), (1, None), ()])
def test_fewer_than_two_ranked_answers_give_no_comparison(ranks: tuple[int | None, ...]) -> None:
    """There is nothing to compare one answer with."""
    assert comparisons(ranked(*ranks)) == []


def test_every_ranking_weighs_one_in_all() -> None:
    """Five answers give ten pairs of a tenth."""
    pairs = comparisons(ranked(3, 1, 2, 2, 5))
    assert [pair.weight for pair in pairs] == [pytest.approx(0.1)] * 10


def by(person: str, ranks: tuple[int | None, ...], *candidates: str) -> RankedPrompt:
    """A person's ranking of these candidates."""
    answers = tuple(Answer(id, "text", (1,), "v0") for id in candidates)
    return RankedPrompt(1, "c", person, "train", (("user", "hi"),), (1,), answers, ranks)


def test_agreement_is_of_answers_that_two_people_compared() -> None:
    """Of x, y, z both put x over y; one puts y over z, the other z over y; x over z both: two of
    three. The order in which the answers were shown does not matter, and w nobody else saw.
    """
    rankings = [
        by("ann", (1, 2, 3), "x", "y", "z"),
        by("bob", (3, 2, 1), "y", "z", "x"),
        by("eve", (1, 2), "w", "x"),
    ]
    assert agreement(rankings) == pytest.approx(2 / 3)


def test_two_answers_count_once_however_many_people_compared_them() -> None:
    """Three people on x, y: one of three pairs agrees; two people on z, w agree: (1/3 + 1) / 2."""
    rankings = [by("ann", (1, 2), "x", "y"), by("bob", (1, 2), "x", "y")]
    rankings += [by("eve", (2, 1), "x", "y")]
    rankings += [by(person, (1, 2), "z", "w") for person in ("ann", "bob")]
    assert agreement(rankings) == pytest.approx(2 / 3)


def test_a_tie_is_left_out_or_an_answer_like_the_others() -> None:
    """One puts x first, one ties them: nothing to compare, or disagreement; two ties agree."""
    rankings = [by("ann", (1, 2), "x", "y"), by("bob", (1, 1), "x", "y")]
    assert agreement(rankings) is None
    assert agreement(rankings, ties=True) == 0.0
    assert agreement([*rankings, by("ann", (1, 1), "x", "y")], ties=True) == 1.0


def test_one_person_cannot_agree() -> None:
    """A change of mind is no second opinion."""
    assert agreement([by("ann", (1, 2), "x", "y"), by("ann", (2, 1), "x", "y")]) is None


def test_one_prompt_is_on_one_side_however_it_is_typed() -> None:
    """Case, spaces, punctuation and width do not move a prompt to the other side."""
    assert normalise("  What's  UP?! ") == normalise("what s up") == "what s up"
    assert (
        len({split_of(text) for text in ("Hello, World!", "hello world", "\uff28ello WORLD")}) == 1
    )


def test_a_message_without_letters_is_still_told_apart() -> None:
    """Two different emoji do not become one empty text."""
    assert normalise(" 🙂 ") == "🙂" != normalise("🙃")


def test_half_of_the_prompts_goes_to_the_judge() -> None:
    """Of 3,000 prompts 1,500 are expected; the standard deviation is sqrt(3000 / 4) = 27."""
    sides = [split_of(f"prompt {number}") for number in range(3000)]
    assert abs(sides.count("judge") - 1500) < 4 * 28
    assert set(sides) == {"train", "judge"}


def test_the_share_may_be_none_or_all() -> None:
    """A share of 0 leaves the judge nothing, a share of 1 everything."""
    assert split_of("x", judge_share=0.0) == "train"
    assert split_of("x", judge_share=1.0) == "judge"


def test_a_conversation_is_split_by_what_its_person_said_first() -> None:
    """System prompts and later turns do not count; without a user message the text is empty."""
    assert first_user_message([("system", "s"), ("user", "a"), ("user", "b")]) == "a"
    assert first_user_message([("system", "s")]) == ""
