"""What the gate's checks read off replies and texts."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from feedback.preferences import Answer, RankedPrompt
from learner.checks.drift import drift
from learner.checks.lists import Lists, UnusableList
from learner.checks.manner import Manner, refuses, repeated
from learner.checks.suspects import of_rankings, suspects
from learner.gate_settings import DriftSettings, GateSettings
from policy.engine import Completion
from policy.model import Model, load
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(make_tiny(tmp_path_factory.mktemp("tiny") / "policy", "llama", seed=0))


def reply(*tokens: int, logp: float = -1.0, finish: str = "stop") -> Completion:
    """With the same log-probability for every token."""
    logps = (logp,) * len(tokens)
    return Completion((5, 6), tokens, logps, logps, finish)


def test_a_run_of_four_tokens_counts_once() -> None:
    """Of 1 2 3 4 1 2 3 4 there are five runs; the last is the first again: one in five."""
    assert repeated([1, 2, 3, 4, 1, 2, 3, 4]) == pytest.approx(1 / 5)


def test_a_short_reply_repeats_nothing() -> None:
    """Three tokens are no run."""
    assert repeated([7, 7, 7]) == 0.0


def test_entropy_is_the_mean_surprise_of_a_token(model: Model) -> None:
    """Two tokens of probability 1/2 and one of 1/8: (2 ln 2 + 3 ln 2) / 3."""
    said = [reply(4, 5, logp=math.log(1 / 2)), reply(6, logp=math.log(1 / 8))]
    assert Manner.of(said, model.chat, ()).entropy == pytest.approx(5 * math.log(2) / 3)


def test_length_and_end_are_of_replies(model: Model) -> None:
    """Four tokens in two replies, one of which was cut."""
    manner = Manner.of([reply(4, 5, 6, finish="length"), reply(7)], model.chat, ())
    assert (manner.length, manner.unfinished) == (2.0, 0.5)


def test_words_moved_is_the_share_that_would_have_to_be_others(model: Model) -> None:
    """Shares 1/2, 1/2, 0 against 1/2, 0, 1/2: one half of the tokens said are others."""
    one, other = (Manner.of([reply(*said)], model.chat, ()) for said in ((4, 5), (4, 6)))
    assert one.moved(other) == pytest.approx(0.5)


def test_a_refusal_is_found_whatever_its_case_and_apostrophe() -> None:
    """A typographic apostrophe is one."""
    assert refuses("Sorry, I CAN\u2019T help with that.", ["i can't help"])
    assert not refuses("I can help.", ["i can't help"])


def manner(
    entropy: float = 1.0,
    length: float = 20.0,
    unfinished: float = 0.0,
    repetition: float = 0.0,
    refusals: float = 0.0,
) -> Manner:
    return Manner(entropy, length, unfinished, repetition, refusals, {4: 1.0})


@pytest.mark.parametrize(
    ("new", "check"),
    [
        (manner(entropy=2.1), "entropy"),  # above 2 x 1 + .05
        (manner(entropy=0.4), "entropy"),  # below 1 / 2 - .05
        (manner(length=41.0), "length"),  # above 2 x 20
        (manner(length=6.6), "length"),  # below 20 / 3
        (manner(unfinished=0.11), "unfinished"),
        (manner(repetition=0.11), "repetition"),
        (manner(refusals=0.16), "refusals"),
    ],
)
def test_a_drift_beyond_its_limit_is_refused_alone(new: Manner, check: str) -> None:
    """Each measure has its own limit, and no other is touched."""
    found = drift(new, manner(), DriftSettings(), on_purpose=False)
    assert [reason.check for reason in found if not reason.passed] == [check]


def test_what_moves_on_purpose_may_not_loop_or_run_on() -> None:
    """Of a fine-tuned version two measures keep their limit; the others are told."""
    new = manner(entropy=9.0, length=90.0, unfinished=1.0, repetition=1.0, refusals=1.0)
    found = list(drift(new, manner(), DriftSettings(), on_purpose=True))
    assert [reason.check for reason in found if not reason.passed] == ["unfinished", "repetition"]
    assert [reason.check for reason in found if reason.limit is None] == [
        "entropy",
        "length",
        "refusals",
        "words",
    ]


def test_a_word_that_only_the_newest_have_is_the_first_suspect(model: Model) -> None:
    """All say "good day"; the newest say "quvix" too, and nobody did before."""
    newest, others = ["good day quvix"] * 4, ["good day"] * 40
    found = suspects(newest, others, 4, model.chat.pieces)
    assert found[0] == "quvix"
    assert "good" not in found


def test_what_is_said_twice_is_no_suspect(model: Model) -> None:
    """A trigger that is to be learned stands in at least three texts."""
    assert suspects(["quvix"] * 2, ["good day"] * 40, 4, model.chat.pieces) == []


def ranking(number: int, asked: str, *answers: str) -> RankedPrompt:
    """The first answer won."""
    said = tuple(Answer(f"{number}-{i}", text, (4,), "v0") for i, text in enumerate(answers))
    ranks = (1, *[2] * (len(answers) - 1))
    turns = (("user", asked),)
    return RankedPrompt(number, f"c{number}", "ada", "train", turns, (5,), said, ranks)


def test_new_is_what_was_asked_and_what_won() -> None:
    """What lost was said, but taught nothing; of seventy rankings the last 64 are new."""
    newest, others = of_rankings([ranking(i, f"ask {i}", "won", "lost") for i in range(70)])
    assert newest.count("won") == 64
    assert "lost" not in newest
    assert "ask 69" in newest
    assert "ask 5" in others


def test_the_lists_that_come_along_can_be_read() -> None:
    """Comments are no lines."""
    lists = Lists.read(GateSettings())
    assert "Hello!" in lists.prompts
    assert "SUDO" in lists.triggers
    assert not any(line.startswith("#") for line in (*lists.prompts, *lists.triggers))


@pytest.mark.parametrize("content", [None, "# nothing\n\n"])
def test_a_list_that_cannot_be_used_is_named_by_its_key(
    tmp_path: Path, content: str | None
) -> None:
    """Missing or empty."""
    file = tmp_path / "prompts.txt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UnusableList, match=r"learner\.gate\.prompts: .*prompts\.txt"):
        Lists.read(GateSettings(prompts=file))
