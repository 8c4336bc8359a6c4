"""What a round works on beside the rankings."""

from __future__ import annotations

import pytest

from feedback.records import LoggedPrompt
from learner.material import BuiltinMaterial, LoggedMaterial
from policy.model import Model, load
from policy.source import BUILTIN


@pytest.fixture(scope="module")
def reference() -> Model:
    return load(BUILTIN)


def test_the_generators_prompts_can_be_checked(reference: Model) -> None:
    """Most of the reference's replies to them are right, one that tells nothing is wrong, and of a
    prompt that somebody else wrote nothing is known."""
    material = BuiltinMaterial(reference, (), seed=1)
    nothing = reference.chat.encode_reply("That is nobody's business.")
    checkable = [group for group in material.samples if material.wrong(group.prompt, nothing)]
    wrong = [group for group in checkable if material.wrong(group.prompt, group.replies[0])]
    assert 0 < len(wrong) < 0.3 * len(checkable)
    assert not material.wrong((5, 6, 7), nothing)


def test_a_quarter_of_the_prompts_can_be_checked(reference: Model) -> None:
    """Of every sixteen four or more, and half are the log's; without them it would be under four
    (.47 of eight) in about every second step."""
    logged = [LoggedPrompt("c", "train", (), (5, 6, 7 + number)) for number in range(20)]
    material = BuiltinMaterial(reference, logged, seed=1)
    nothing = reference.chat.encode_reply("That is nobody's business.")
    steps = [material.draw(16) for _ in range(40)]
    assert {len(step) for step in steps} == {16}
    assert min(sum(material.wrong(prompt, nothing) for prompt in step) for step in steps) >= 4
    assert {sum(len(prompt) == 3 for prompt in step) for step in steps} == {8}


def test_supervised_examples_are_not_wrong(reference: Model) -> None:
    """Of the reference's own samples some are; none of those is learned from."""
    material = BuiltinMaterial(reference, (), seed=1)
    assert any(material.wrong(group.prompt, group.replies[0]) for group in material.samples)
    examples = material.replay(200)
    assert not any(material.wrong(group.prompt, group.replies[0]) for group in examples)


def test_another_models_prompts_are_nobodys_to_check(reference: Model) -> None:
    """They come from the log alone."""
    splits = ("train", "judge", "train")
    logged = [
        LoggedPrompt("c", split, (), (5, 6, 7 + number)) for number, split in enumerate(splits)
    ]
    material = LoggedMaterial(reference, logged, seed=1)
    assert not material.wrong((5, 6, 7), (8, 9))
    assert set(material.draw(20)) == {(5, 6, 7), (5, 6, 9)}
    assert material.held_out(20) == [(5, 6, 8)]
