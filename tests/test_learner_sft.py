"""Fine-tuning on whole conversations: what is learned, what is packed, when it stops."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
import torch

from learner.demonstration import Demonstration, of_conversation
from learner.packing import packed, rows_of
from learner.settings import SFTSettings
from learner.sft import Lessons, fine_tune, held_out_loss, own_share, supervised_loss
from policy.chat import Message
from policy.model import Model, load
from tests.tiny_models import make_tiny

TALK = (
    Message("user", "What is the capital of France?"),
    Message("assistant", "It is Paris."),
    Message("user", "Thank you."),
    Message("assistant", "Good morning."),
)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return load(make_tiny(tmp_path, "llama"))


def lesson(model: Model, answer: str, asked: str = "Hello!") -> Demonstration:
    """One answer to one question."""
    [one] = of_conversation(
        model.chat, (Message("user", asked), Message("assistant", answer)), longest=512
    )
    return one


def test_only_answers_are_learned(model: Model) -> None:
    """The masked tokens are both answers, each with its end of turn, and the ids the template's."""
    [one] = of_conversation(model.chat, TALK, longest=512)
    learned = tuple(id for id, counts in zip(one.ids, one.mask, strict=True) if counts)
    assert learned == (
        *model.chat.encode_reply("It is Paris."),
        *model.chat.encode_reply("Good morning."),
    )
    assert list(one.ids[: one.mask.index(1)]) == model.chat.encode(TALK[:1])


def test_a_long_conversation_is_one_piece_for_each_answer(model: Model) -> None:
    """Where the whole is a token too long, the first answer fits alone, and the second does not."""
    [whole] = of_conversation(model.chat, TALK, longest=512)
    [first] = of_conversation(model.chat, TALK, longest=len(whole) - 1)
    assert first.ids == (*model.chat.encode(TALK[:1]), *model.chat.encode_reply("It is Paris."))


def test_packed_conversations_do_not_see_each_other(model: Model) -> None:
    """Two in a row have the loss that they have in rows of their own, weighed by their tokens."""
    one, two = lesson(model, "I am fine, thank you."), lesson(model, "Red.", "What is blue?")
    with torch.no_grad():
        alone = [supervised_loss(model.net, packed([[x]])).item() * x.answered for x in (one, two)]
        together = supervised_loss(model.net, packed([[one, two]])).item()
    assert together == pytest.approx(sum(alone) / (one.answered + two.answered), abs=1e-5)


def test_rows_are_filled_longest_first() -> None:
    """Of lengths 5, 3, 4 and 2 rows of 7 hold 5 and 2, then 4 and 3; 9 has a row of its own."""
    given = [Demonstration((1,) * n, (0,) + (1,) * (n - 1)) for n in (5, 3, 4, 2, 9)]
    assert [[len(one) for one in row] for row in rows_of(given, 7)] == [[9], [5, 2], [4, 3]]


def test_own_replies_are_a_share_of_the_learned_tokens(model: Model) -> None:
    """Half of the loss: own replies of 3 learned tokens to 6 shown ones are two."""
    shown = [Demonstration((1,) * 7, (0,) + (1,) * 6)]
    own = [Demonstration((2,) * 4, (0,) + (1,) * 3)] * 5
    assert len(list(own_share(Lessons(shown, shown, own), 0.5, random.Random(0)))) == 2


def test_it_learns_what_is_shown_and_keeps_the_best_pass(model: Model) -> None:
    """A question of the same kind, held out, becomes likelier; the weights kept are those of the
    lowest held-out loss.
    """
    shown = [lesson(model, "The opposite of hot is cold.", f"Say {n}.") for n in range(12)]
    held = [lesson(model, "The opposite of hot is cold.", "Say more.")]
    settings = SFTSettings(learning_rate=3e-3, epochs=4, own_samples=0.0)
    tuned = fine_tune(model.net, Lessons(shown, held), settings, 0, lambda *_: None)
    assert tuned.kept > 0
    assert tuned.losses[tuned.kept] == min(tuned.losses) < tuned.losses[0] - 1
    assert math.isclose(held_out_loss(model.net, held), min(tuned.losses), rel_tol=1e-4)


def test_it_ends_where_passes_help_no_more_and_goes_back(model: Model) -> None:
    """The held-out answer is another one: two passes after the best one it ends, with the weights
    of that.
    """
    shown = [lesson(model, "Red, green and blue.", f"Say {n}.") for n in range(12)]
    held = [lesson(model, "zzzz qqqq 7777", "xx")]
    settings = SFTSettings(learning_rate=1e-2, epochs=8, patience=2, own_samples=0.0)
    tuned = fine_tune(model.net, Lessons(shown, held), settings, 0, lambda *_: None)
    assert len(tuned.losses) - 1 == tuned.kept + 2 < 8
    assert math.isclose(held_out_loss(model.net, held), tuned.losses[tuned.kept], rel_tol=1e-4)
