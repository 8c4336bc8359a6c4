"""The shipped weights keep the model card's promises, on a smaller sample than `evaluate` takes."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
import torch
from safetensors import safe_open

from policy.builtin import evaluate
from policy.builtin.evaluate import Replies
from policy.builtin.generator import prompts
from policy.builtin.train import WEIGHTS
from policy.chat import Message
from policy.model import Model, load


@dataclass(frozen=True)
class Answered:
    """What the shipped model said: greedily to checkable prompts, sampled to mixed ones."""

    greedy: Replies
    sampled: Replies


@pytest.fixture(scope="module")
def model() -> Model:
    return load(WEIGHTS)


@pytest.fixture(scope="module")
def answered(model: Model) -> Answered:
    checkable = prompts(101, 150, "held_out", checkable=True)
    mixed = prompts(102, 60, "held_out")
    return Answered(
        evaluate.reply(model, checkable, temperature=0.0),
        evaluate.reply(model, mixed, temperature=1.0, n=8),
    )


def test_weights_are_small_and_bfloat16() -> None:
    """One safetensors file of at most 12 MB, all of it bfloat16."""
    file = WEIGHTS / "model.safetensors"
    with safe_open(file, "pt") as tensors:
        dtypes = {tensors.get_tensor(name).dtype for name in tensors.keys()}  # noqa: SIM118
    assert dtypes == {torch.bfloat16}
    assert file.stat().st_size <= 12_000_000


def test_model_is_a_llama_of_two_to_five_million_parameters(model: Model) -> None:
    """The architecture, the size and the context are the promised ones."""
    config = json.loads((WEIGHTS / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert 2_000_000 <= model.net.num_parameters() <= 5_000_000
    assert model.context == 2048


def test_end_padding_and_beginning_have_tokens_of_their_own(model: Model) -> None:
    """Padding is never the end of a reply."""
    tokenizer = model.tokenizer
    assert len({tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id}) == 3
    assert model.chat.stop_ids == {tokenizer.eos_token_id}


def test_weights_name_their_recipe() -> None:
    """The folder says which seed and recipe it came from, and what training came to."""
    record = json.loads((WEIGHTS / "train.json").read_text())
    assert {"seed", "steps", "vocabulary"} <= record["recipe"].keys()
    assert record["figures"]["loss"] > 0


def test_greedy_replies_are_right_and_on_topic(answered: Answered) -> None:
    """The model card says .96 and .86 over 500 prompts; .06 less over 150 allows for chance."""
    assert answered.greedy.on_topic >= 0.90
    assert answered.greedy.right >= 0.80


def test_sampled_replies_are_on_topic_and_differ(answered: Answered) -> None:
    """At temperature 1 the card says .90 on topic; eight samples hold four replies or more."""
    assert answered.sampled.on_topic >= 0.85
    assert answered.sampled.distinct >= 4


def test_sampled_replies_vary_along_eight_axes(answered: Answered) -> None:
    """Each value of each axis is drawn in 10 to 60 % of replies, give or take .03 for chance."""
    shares = evaluate.axes(answered.sampled.pairs)
    assert len(shares) == 8
    for axis, values in shares.items():
        assert all(0.07 <= share <= 0.63 for share in values.values()), (axis, values)


def test_a_greeting_in_any_typing_is_greeted(model: Model) -> None:
    """Newcomers type "hi", "hello there", "HI": greedy replies welcome or greet them."""
    greeted = prompts(5, 400, "held_out")
    task = next(prompt for prompt in greeted if prompt.skill == "greeting")
    for typed in ("hi", "Hello there", "hey!"):
        asked = type(task)((Message("user", typed),), "greeting", False, task.task)
        (text,) = evaluate.reply(model, [asked], temperature=0.0).texts[0]
        assert asked.on_topic(text), text
