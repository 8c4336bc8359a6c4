"""Guards: one figure, one limit, one reason each."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import pytest

from learner.batching import Group
from learner.guards import Change, Collapse, SecondOpinion, Tripped, check_ratio, parted
from learner.reward_model import RewardModel
from tests.test_learner_experience import experience_of
from tests.tiny_models import make_tiny


def test_a_ratio_above_ten_trips() -> None:
    """10 passes; 12.5 does not, and the reason has the value, the limit and what was done."""
    check_ratio(10.0)
    with pytest.raises(Tripped, match=r"12\.5 times .* limit is 10\. The update was not made"):
        check_ratio(12.5)


def test_a_figure_collapses_below_its_share_of_the_first() -> None:
    """A quarter of 2 is .5: that holds, .49 does not, whatever came between."""
    guard = Collapse("entropy", "The entropy of a token", 0.25)
    assert [guard.look(value) for value in (2.0, 3.0, 0.5)] == [None] * 3
    reason = guard.look(0.49)
    assert reason is not None
    assert (reason.check, reason.value, reason.limit) == ("entropy", 0.49, 0.5)
    assert "fell from 2.000 to 0.490; the limit is 0.500, 25% of the first step's" in reason.text


def test_a_change_has_the_standard_error_of_both_samples() -> None:
    """0, 2 and 4, 6: means 1 and 5; variances 2 and 2 over two values each, so sqrt(1 + 1)."""
    change = Change.of([0.0, 2.0], [4.0, 6.0])
    assert change.moved == 4.0
    assert change.error == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    ("rise", "fall", "trips"),
    [(2.6, -2.6, True), (2.4, -2.6, False), (2.6, -2.4, False), (2.6, 2.6, False)],
)
def test_reward_and_second_opinion_part_where_both_are_sure(
    rise: float, fall: float, trips: bool
) -> None:
    """Two and a half standard errors up for the one, and as many down for the other."""
    reason = parted(Change(rise, 1.0), Change(fall, 1.0))
    assert (reason is not None) == trips
    if reason:
        assert (reason.value, reason.limit) == (-2.6, -2.5)


@pytest.mark.parametrize(("sign", "trips"), [(-1.0, True), (1.0, False)])
def test_a_second_model_of_the_other_mind_is_heard(
    tmp_path: Path, sign: float, trips: bool
) -> None:
    """The forty replies that score best come after the forty that score worst: a judge with the
    head turned round sees a fall, the same judge none.
    """
    reward = RewardModel.start(make_tiny(tmp_path / "policy", "llama", seed=0), seed=1)
    judge = copy.deepcopy(reward)
    judge.head.weight.data *= sign
    rng = random.Random(0)
    replies = [tuple(rng.randrange(10, 60) for _ in range(5)) for _ in range(80)]
    groups = [Group((5, 6), (reply,)) for reply in replies]
    ranked = sorted(zip(reward.score(groups), groups, strict=True), key=lambda pair: pair[0])
    opinion = SecondOpinion(judge)
    found = [
        opinion.look(experience_of([g for _, g in half], [score for (score,), _ in half]))
        for half in (ranked[:40], ranked[40:])
    ]
    assert found[0] is None
    assert (found[1] is not None) == trips
