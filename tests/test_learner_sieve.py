"""Personal data and rounds: left out, told, and waited for no longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.exchanged import asked, brought
from tests.test_learner_encoding import imported
from tests.test_learner_round import Product

MAIL = "ada@example.org"


def test_a_round_leaves_it_out_and_says_how_much(tmp_path: Path) -> None:
    """Of 62 rankings one names an address in its prompt and one in an answer; so does a prompt
    that nobody ranked. None of it is an input, and none of it waits.
    """
    product = Product(tmp_path)
    imported(product, "trl-preference", 60)
    rows = [
        {"prompt": f"Write to {MAIL}", "chosen": "green", "rejected": "hot"},
        {"prompt": "Who?", "chosen": f"green {MAIL}", "rejected": "hot"},
    ]
    assert brought(product.store, "trl-preference", rows).imported == 2
    asked(product.store, "c", ["hot"], (("user", f"I am {MAIL}"),))
    assert product.store.waiting().count == 62
    round_ = product.round("reward")
    assert round_.outcome == "verified", (round_.error, round_.reasons)
    assert (round_.rankings, round_.left_out) == (60, 2)
    note = round_.reasons[0]
    assert (note.check, note.value, note.passed) == ("personal_data", 2.0, True)
    assert "2 prompts" in note.text
    assert product.store.waiting().count == 0


@pytest.mark.parametrize(("allowed", "left"), [(False, 20), (True, 0)])
def test_demonstrations_too_unless_they_are_let_in(
    tmp_path: Path, allowed: bool, left: int
) -> None:
    """20 that show an address: the round has none of them or all, and none waits after."""
    product = Product(tmp_path, personal_data=allowed)
    product.show(20, answer=f"Write to {MAIL}.")
    round_ = product.round("sft")
    assert round_.state == "done", round_.error
    assert (round_.left_out, round_.demonstrations) == (left, 20 - left)
    assert product.store.waiting_demonstrations().count == 0
