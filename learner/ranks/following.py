"""What another rank than 0 does of a round: the same, without a database of its own."""

from __future__ import annotations

from learner import round as learning_round
from learner.ground import Ground
from learner.ranks.crew import Order
from learner.ranks.group import first
from learner.ranks.shared import seen_by_all
from learner.regression import Baseline


def follow() -> None:
    """A round, until it ends or rank 0 leaves it. Raises RankLost."""
    order = first(_rank_0_tells)
    ground = Ground(
        seen_by_all(None),
        order.place.open(),
        order.model,
        order.settings,
        order.claim,
        Baseline(),
        order.data / "rounds",
    )
    learning_round.run(ground)


def _rank_0_tells() -> Order:
    raise AssertionError("rank 0 has a database, and follows nobody")
