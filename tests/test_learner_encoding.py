"""What was imported as text, as token ids; and a round that learns from nothing else."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from feedback.exchange.lines import NumberedLine
from feedback.preferences import Answer, RankedPrompt
from feedback.records import LoggedPrompt
from learner.encoding import Encoder
from policy.chat import Message
from tests.exchanged import brought
from tests.test_learner_round import WORDS, Product
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(make_tiny(tmp_path_factory.mktemp("encoding") / "model"))


def ranked(*texts: str, asked: str = "Hello!", prompt_ids: tuple[int, ...] = ()) -> RankedPrompt:
    answers = tuple(Answer(f"a{i}", text, prompt_ids, "imported") for i, text in enumerate(texts))
    ranks = tuple(range(1, len(texts) + 1))
    messages = (("user", asked),)
    return RankedPrompt(1, "c", "eve", "train", messages, prompt_ids, answers, ranks)


def test_a_prompt_and_its_answers_become_what_the_template_renders(encoder: Encoder) -> None:
    """The ids of a chat of the same words: the prompt's, and the reply's with its end."""
    [found] = encoder.answered([ranked("Paris", "hot")])
    assert found.prompt_ids == tuple(encoder.chat.encode([Message("user", "Hello!")]))
    assert [a.token_ids for a in found.answers] == [
        tuple(encoder.chat.encode_reply(text)) for text in ("Paris", "hot")
    ]
    assert found.answers[0].token_ids[-1] in encoder.chat.stop_ids


def test_tokens_on_record_stay(encoder: Encoder) -> None:
    """What was sampled here is not encoded again."""
    given = ranked("Paris", "hot", prompt_ids=(5, 6))
    assert encoder.answered([given]) == [given]


def test_what_has_no_room_is_left_out(encoder: Encoder) -> None:
    """The tiny model's context is 256 tokens: 300 words are too many, asked or answered."""
    long = "cold " * 300
    given = [ranked("Paris", long), ranked("Paris", "hot"), ranked("a", "b", asked=long)]
    assert [one.messages for one in encoder.answered(given)] == [given[1].messages]
    prompts = [LoggedPrompt("c", "train", (("user", text),), ()) for text in (long, "hot")]
    assert [prompt.messages[0][1] for prompt in encoder.prompts(prompts)] == ["hot"]


def imported(product: Product, format: str, count: int) -> None:
    """So many lines of people who like "green" in an answer."""
    rng, lines = random.Random("imported"), []
    for number in range(1, count + 1):
        asked = " ".join(rng.choices(WORDS, k=6))
        plain = [word for word in WORDS if word != "green"]
        better, worse = ([*rng.choices(plain, k=5)] for _ in range(2))
        better[rng.randrange(5)] = "green"
        chosen, rejected = " ".join(better), " ".join(worse)
        row: dict[str, object] = {"prompt": asked, "chosen": chosen, "rejected": rejected}
        if format == "trl-unpaired":
            up = number % 2 == 0
            row = {"prompt": asked, "completion": chosen if up else rejected, "label": up}
        lines.append(NumberedLine(number, json.dumps(row).encode()))
    assert product.store.import_lines(format, lines, "import:test").imported == count


def test_imported_preferences_train_a_reward_model(tmp_path: Path) -> None:
    """Of 60 imported pairs, and nothing else on record, the models of both sides learn what was
    liked: surely better than chance on conversations they have not seen. One more, too long, is
    left out and counted.
    """
    product = Product(tmp_path)
    imported(product, "trl-preference", 60)
    long = {"prompt": "cold " * 300, "chosen": "a", "rejected": "b"}
    line = NumberedLine(1, json.dumps(long).encode())
    assert product.store.import_lines("trl-preference", [line], "eve").imported == 1
    round_ = product.round("reward")
    assert round_.outcome == "verified", (round_.error, round_.reasons)
    assert (round_.rankings, round_.reward_id) == (61, "r1")
    assert [(r.check, r.value) for r in round_.reasons[:1]] == [("unreadable", 1.0)]
    assert round_.reasons[1].value is not None
    assert round_.reasons[1].value > 0.7
    assert product.store.waiting().count == 0


def test_imported_rankings_move_the_heads_between_rounds(tmp_path: Path) -> None:
    """Three after r1 was trained are taken in; their answers have no tokens on record to score."""
    product = Product(tmp_path, idle_s=30.0)
    imported(product, "trl-preference", 60)
    assert product.round("reward").reward_id == "r1"
    rows = [{"prompt": f"new {i}", "chosen": "green", "rejected": "hot"} for i in range(3)]
    assert brought(product.store, "trl-preference", rows).imported == 3
    product.keeper.look()
    loaded = product.keeper.idle.loaded
    assert loaded is not None
    assert (loaded.fresh.since, loaded.fresh.changed) == (3, [])
    [answer, *_] = product.store.training_rankings()[-1].answers
    assert product.store.rewards(answer.candidate_id) == {}


def test_imported_thumbs_train_a_reward_model_of_good_and_bad(tmp_path: Path) -> None:
    """60 single answers, half of them good, each of a conversation of its own."""
    product = Product(tmp_path, reward={"learning_rate": 3e-3, "epochs": 6, "kind": "binary"})
    imported(product, "trl-unpaired", 60)
    round_ = product.round("reward")
    assert round_.outcome in ("verified", "needs_feedback"), round_.error
    assert round_.reasons[0].check == "reward_accuracy"
    assert product.store.waiting_thumbs().count == 0
