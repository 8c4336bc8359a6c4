"""A round that fine-tunes, on a tiny model with the real record and real folders."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from feedback.records import Reason, RoundInfo
from tests.test_learner_round import Product

GENTLE = {"learning_rate": 3e-3, "epochs": 3}


def reasons(info: RoundInfo) -> dict[str, Reason]:
    """The round's reasons by their check."""
    assert info.state == "done", info.error
    return {reason.check: reason for reason in info.reasons}


def test_demonstrations_become_a_version(tmp_path: Path) -> None:
    """What was held out became likelier, which is on record with the other checks; the version is
    made from v0 and serves. No judge was trained, and its KL is told without a limit.
    """
    product = Product(tmp_path, sft=GENTLE)
    product.show(16)
    info = product.round("sft")
    found = reasons(info)
    loss = found["held_out_loss"]
    assert loss.value is not None
    assert loss.limit is not None
    assert loss.value < loss.limit - 1
    assert [*found] == [
        "held_out_loss",
        "integrity",
        "finite",
        "loads",
        "language",
        "canned",
        "regression",
        "win_rate",
        "kl",
        "kl_live",
        "served",
        "entropy",
        "length",
        "unfinished",
        "repetition",
        "refusals",
        "words",
        "triggers",
    ]
    assert (found["win_rate"].value, found["kl"].limit) == (None, None)
    assert "trains no judge" in found["win_rate"].text
    assert (found["kl"].value or 0) > 0
    assert (info.outcome, info.version_id, info.demonstrations) == ("promoted", "v1", 16)
    version = product.store.version("v1")
    assert (version.parent, version.figures) == (
        "v0",
        {"stage": "sft", "held_out_loss": loss.value},
    )
    assert product.versions.verify("v1").parent == "v0"
    assert product.store.live().version == "v1"
    steps = [point for point in product.store.metrics(info.id) if point.stage == "sft"]
    assert {"loss", "gradient_norm", "held_out_loss"} == set(steps[-1].values)


def test_without_demonstrations_it_says_what_is_lacking(tmp_path: Path) -> None:
    """Asked for, it ends without a version, and counts both sides."""
    product = Product(tmp_path)
    info = product.round("sft")
    assert info.outcome == "needs_feedback"
    assert info.reasons[0].text == (
        "0 demonstrations to learn from and 0 to judge by; it takes one of each."
    )


def test_one_demonstration_is_not_enough(tmp_path: Path) -> None:
    """One is on one side of the split; the other one is empty."""
    product = Product(tmp_path)
    product.show(1)
    text = product.round("sft").reasons[0].text
    assert text.startswith(("1 demonstrations to learn from and 0", "0 demonstrations to learn"))


def test_what_does_not_help_is_not_published(tmp_path: Path) -> None:
    """At a rate that breaks the model no pass is kept: the round is rejected, and says how the loss
    went.
    """
    product = Product(tmp_path, sft={"learning_rate": 10.0, "epochs": 1})
    product.show(16)
    info = product.round("sft")
    assert info.outcome == "rejected", info.error
    [reason] = info.reasons
    assert reason.text.startswith("Pass 0 of 1 kept; the held-out loss went ")
    assert product.versions.ids() == ["v0"]


def test_the_next_round_is_held_near_it(tmp_path: Path) -> None:
    """The reward model and the KL start from the fine-tuned version, and the policy from live."""
    product = Product(tmp_path, sft=GENTLE)
    product.show(16)
    assert product.round("sft").outcome == "promoted"
    product.rank(90, seed=1)
    found = reasons(product.round())
    assert product.versions.verify("r1").parent == "v1"
    assert product.store.version("v2").parent == "v1"
    assert "likelihood of v1's greedy answers" in found["regression"].text
    assert "nats per reply from v1; the limit is 5.00" in found["kl"].text


def test_what_was_rolled_back_is_no_reference(tmp_path: Path) -> None:
    """The round after is held near v0, as before; the next fine-tuning starts there, too."""
    product = Product(tmp_path, sft=GENTLE)
    product.show(16)
    assert product.round("sft").outcome == "promoted"
    product.store.rollback(actor="ada", reason="it says one thing only")
    product.rank(90, seed=1)
    assert reasons(product.round())["improve"].text.startswith("From v0")
    assert product.versions.verify("r1").parent == "v0"
    product.round("sft")
    assert product.store.version("v3").parent == "v0"


def test_a_round_that_was_interrupted_goes_on_with_what_it_had_begun(tmp_path: Path) -> None:
    """It had begun to learn from rankings; demonstrations that came since wait for the next."""
    product = Product(tmp_path, sft=GENTLE)
    product.rank(90, seed=1)
    product.store.request_round(trigger="rankings", stages=None, actor="learner")
    claim = product.store.claim_round("a learner that dies", 1.0)
    assert claim is not None
    used = [one.ranking_id for one in product.store.training_rankings()]
    product.store.use_rankings(claim, used)
    product.show(16)
    time.sleep(1.1)
    product.keeper.look()
    first = product.store.rounds()[0]
    assert (first.rankings, first.demonstrations) == (90, 0)


@pytest.mark.parametrize("stages", [(), ("sft", "reward", "ppo")])
def test_a_round_that_fine_tunes_leaves_rankings_to_the_next(
    tmp_path: Path, stages: tuple[str, ...]
) -> None:
    """Both are due or asked for: demonstrations first; then the rankings, which still wait."""
    product = Product(tmp_path, sft=GENTLE, demonstrations_per_round=16)
    product.rank(90, seed=1)
    product.show(16)
    first = product.round(*stages)
    assert (first.demonstrations, first.rankings) == (16, 0)
    assert product.store.waiting().count == 90
    product.keeper.look()
    second = product.store.rounds()[0]
    assert (second.trigger, second.demonstrations, second.rankings) == ("rankings", 0, 90)
