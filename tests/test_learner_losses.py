"""The maths of learning against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from learner import losses
from learner.losses import AdaptiveKL

NAN = float("nan")


def tensor(*rows: object) -> torch.Tensor:
    """A float64 tensor, so that a hand-worked number is met to the last digit written."""
    return torch.tensor(rows if len(rows) > 1 else rows[0], dtype=torch.float64)


def test_masked_mean_reads_only_what_counts() -> None:
    """(1 + 3) / 2 = 2, whatever stands under the mask."""
    x, mask = tensor([1.0, NAN, 3.0]), tensor([1, 0, 1])
    assert losses.masked_mean(x, mask).item() == 2.0


def test_masked_mean_of_nothing_is_zero() -> None:
    """An empty mask gives 0, not 0/0."""
    assert losses.masked_mean(tensor([5.0, 7.0]), tensor([0, 0])).item() == 0.0


def test_whiten_uses_the_unbiased_variance() -> None:
    """1, 2, 3: mean 2, variance (1 + 0 + 1) / 2 = 1, so -1, 0, 1; the masked 100 comes out 0."""
    white = losses.whiten(tensor([1.0, 2.0, 3.0, 100.0]), tensor([1, 1, 1, 0]))
    assert white.tolist() == pytest.approx([-1.0, 0.0, 1.0, 0.0], abs=1e-7)


def test_whiten_adds_the_mean_back_after_scaling() -> None:
    """2, 4, 6: mean 4, deviation 2, so -1, 0, 1 and with the mean 3, 4, 5."""
    white = losses.whiten(tensor([2.0, 4.0, 6.0, 9.0]), tensor([1, 1, 1, 0]), shift_mean=False)
    assert white.tolist() == pytest.approx([3.0, 4.0, 5.0, 0.0], abs=1e-7)


@pytest.mark.parametrize("mask", [[0, 0], [0, 1]])
@pytest.mark.parametrize("shift_mean", [True, False])
def test_whiten_of_fewer_than_two_values_is_zero(mask: list[int], shift_mean: bool) -> None:
    """A variance of one value does not exist: zeros, not NaN."""
    white = losses.whiten(tensor([4.0, 6.0]), tensor(mask), shift_mean)
    assert white.tolist() == [0.0, 0.0]


def test_gae_matches_three_steps_by_hand() -> None:
    """gamma .9, lam .5: the deltas fold back into the advantages below.

    delta_2 = 2 - .4 = 1.6                        A_2 = 1.6
    delta_1 = 1 + .9 * .4 - .3 = 1.06             A_1 = 1.06 + .45 * 1.6 = 1.78
    delta_0 = 0 + .9 * .3 - .5 = -.23             A_0 = -.23 + .45 * 1.78 = .571
    """
    rewards, values = tensor([[0.0, 1.0, 2.0]]), tensor([[0.5, 0.3, 0.4]])
    advantages, returns = losses.gae(rewards, values, torch.ones(1, 3), 0.9, 0.5)
    assert advantages[0].tolist() == pytest.approx([0.571, 1.78, 1.6])
    assert returns[0].tolist() == pytest.approx([1.071, 2.08, 2.0])


def test_gae_steps_over_a_hole() -> None:
    """A masked middle gives what the sequence without it gives, and is 0 itself."""
    mask = torch.tensor([[1, 0, 1, 1, 0]])
    holed = losses.gae(
        tensor([[0.0, NAN, 1.0, 2.0, 7.0]]), tensor([[0.5, 9.0, 0.3, 0.4, NAN]]), mask, 0.9, 0.5
    )
    assert holed[0][0].tolist() == pytest.approx([0.571, 0.0, 1.78, 1.6, 0.0])
    assert holed[1][0].tolist() == pytest.approx([1.071, 0.0, 2.08, 2.0, 0.0])


def test_kl_estimates_at_a_ratio_of_two() -> None:
    """log p - log q = ln 2: k1 = .6931, k2 = .2402, k3 = 1/2 - 1 + .6931 = .1931."""
    logps, ref = tensor([math.log(0.5)]), tensor([math.log(0.25)])
    values = [losses.kl_estimate(logps, ref, kind).item() for kind in ("k1", "k2", "k3")]
    assert values == pytest.approx([math.log(2), math.log(2) ** 2 / 2, math.log(2) - 0.5])


def test_kl_estimate_refuses_an_unknown_kind() -> None:
    """The error names the value."""
    with pytest.raises(ValueError, match="'k4'"):
        losses.kl_estimate(tensor([0.0]), tensor([0.0]), "k4")  # type: ignore[arg-type]


def test_policy_loss_clips_gains_but_not_losses() -> None:
    """Ratios 2 and 2 with clip .2, advantages 1 and -1: -1.2 and 2, mean .4; one of two clipped."""
    logps = tensor([[math.log(2.0), math.log(2.0), NAN]])
    loss, metrics = losses.policy_loss(
        logps, torch.zeros_like(logps), tensor([[1.0, -1.0, 5.0]]), tensor([[1, 1, 0]]), 0.2
    )
    assert loss.item() == pytest.approx((-1.2 + 2.0) / 2)
    assert metrics["clip_fraction"] == pytest.approx(0.5)
    assert metrics["approx_kl"] == pytest.approx(-math.log(2.0))


def test_dual_clip_bounds_the_cost_of_a_bad_token() -> None:
    """Ratio 10, advantage -1: cost 10, with dual clip 3 it is 3; a gain is not touched."""
    logps = tensor([[math.log(10.0), math.log(10.0)]])
    loss, _ = losses.policy_loss(
        logps, torch.zeros_like(logps), tensor([[-1.0, 1.0]]), torch.ones(1, 2), 0.2, dual_clip=3.0
    )
    assert loss.item() == pytest.approx((3.0 - 1.2) / 2)


def test_policy_loss_pulls_at_the_ratio_of_one() -> None:
    """At ratio 1 the gradient of the loss by a log-probability is -A / count."""
    logps = tensor([[-1.0, -2.0]]).requires_grad_()
    loss, metrics = losses.policy_loss(
        logps, logps.detach(), tensor([[3.0, -1.0]]), torch.ones(1, 2), 0.2
    )
    loss.backward()  # type: ignore[no-untyped-call]
    assert logps.grad is not None
    assert logps.grad[0].tolist() == pytest.approx([-1.5, 0.5])
    assert metrics["clip_fraction"] == 0.0


def test_losses_of_nothing_are_zero() -> None:
    """An empty mask costs 0, not 0/0, whatever stands under it; and no ratio is largest."""
    x, mask = tensor([[NAN, 2.0]]), torch.zeros(1, 2)
    loss, metrics = losses.policy_loss(x, x, x, mask, 0.2, dual_clip=3.0)
    assert loss.item() == losses.value_loss(x, x, x, mask, 0.2).item() == 0.0
    assert metrics["approx_kl"] == metrics["clip_fraction"] == 0.0
    assert [part.tolist() for part in losses.gae(x, x, mask, 1.0, 0.95)] == [[[0.0, 0.0]]] * 2


def test_each_reply_is_held_to_the_others() -> None:
    """Rewards 1, 2, 6: less (2 + 6)/2, (1 + 6)/2, (1 + 2)/2, so -3, -1.5, 4.5; equal ones, 0."""
    advantages = losses.rloo_advantages(tensor([1.0, 2.0, 6.0], [4.0, 4.0, 4.0]))
    assert advantages.tolist() == [[-3.0, -1.5, 4.5], [0.0, 0.0, 0.0]]


def test_value_loss_counts_the_larger_square() -> None:
    """V 2, old 0, return 3, clip .5: plain (2-3)^2 = 1, clipped (.5-3)^2 = 6.25; half: 3.125."""
    one = torch.ones(1, 1)
    args = tensor([[2.0]]), tensor([[0.0]]), tensor([[3.0]]), one
    assert losses.value_loss(*args).item() == pytest.approx(0.5)
    assert losses.value_loss(*args, clip=0.5).item() == pytest.approx(3.125)


def test_ranking_loss_of_a_pair() -> None:
    """-log sigmoid(2 - 1) = log(1 + e^-1) = .31326, whichever way round the answers stand."""
    assert losses.ranking_loss(tensor([2.0, 1.0]), [1, 2]).item() == pytest.approx(0.3132617)
    assert losses.ranking_loss(tensor([1.0, 2.0]), [2, 1]).item() == pytest.approx(0.3132617)


def test_ranking_loss_is_the_mean_over_all_pairs() -> None:
    """Scores 2, 1, 0 ranked 1, 2, 3: gaps 1, 2, 1 cost .31326, .12693, .31326; mean .25115."""
    loss = losses.ranking_loss(tensor([2.0, 1.0, 0.0]), [1, 2, 3])
    assert loss.item() == pytest.approx((0.3132617 + 0.1269280 + 0.3132617) / 3)


def test_a_tie_is_half_of_each_direction() -> None:
    """Gap 1: (log(1 + e^-1) + log(1 + e)) / 2 = (.31326 + 1.31326) / 2 = .81326."""
    assert losses.ranking_loss(tensor([1.0, 0.0]), [1, 1]).item() == pytest.approx(0.8132617)


def test_a_margin_asks_for_more_and_leaves_ties() -> None:
    """Gap 1 less margin 1 costs log 2; the tied pair keeps .81326."""
    assert losses.ranking_loss(tensor([1.0, 0.0]), [1, 2], margin=1.0).item() == pytest.approx(
        math.log(2)
    )
    tied = losses.ranking_loss(tensor([1.0, 0.0]), [1, 1], margin=1.0)
    assert tied.item() == pytest.approx(0.8132617)


def test_centring_squares_the_pair_sums() -> None:
    """Scores 2 and 1: (2 + 1)^2 = 9 times .1 on top of .31326."""
    loss = losses.ranking_loss(tensor([2.0, 1.0]), [1, 2], center=0.1)
    assert loss.item() == pytest.approx(0.3132617 + 0.9)


def test_one_answer_has_nothing_to_compare() -> None:
    """Fewer than two answers cost 0 and keep the graph."""
    assert losses.ranking_loss(tensor([2.0]), [1]).item() == 0.0


def test_plackett_luce_is_the_probability_of_the_order() -> None:
    """exp(score) 3, 2, 1: the first is chosen 3 times of 6, the second 2 of 3: 1/3, log 3."""
    scores = tensor([math.log(3), math.log(2), 0.0])
    assert losses.plackett_luce_loss(scores, [1, 2, 3]).item() == pytest.approx(math.log(3))
    # Of six orders of three alike, each has a sixth.
    assert losses.plackett_luce_loss(tensor([7.0] * 3), [2, 3, 1]).item() == pytest.approx(
        math.log(6)
    )


def test_two_answers_have_the_same_loss_by_pairs_and_by_lists() -> None:
    """log(1 + e^-1) = .31326."""
    loss = losses.plackett_luce_loss(tensor([2.0, 1.0]), [1, 2])
    assert loss.item() == pytest.approx(0.3132617)


@pytest.mark.parametrize(
    ("ranks", "chosen"), [([1, 2, 2], (3 / 5, 1 / 2, 1 / 2)), ([1, 1, 2], (3 / 5, 1 / 5, 1))]
)
def test_each_of_a_tie_is_chosen_among_all_that_are_not_above(
    ranks: list[int], chosen: tuple[float, ...]
) -> None:
    """exp(score) 3, 1, 1. Tied below: 3 of 5, then each 1 of 2. Tied above: 3 and 1 of 5."""
    loss = losses.plackett_luce_loss(tensor([math.log(3), 0.0, 0.0]), ranks)
    assert loss.item() == pytest.approx(-math.log(math.prod(chosen)))


def test_a_list_all_tied_pulls_its_scores_together() -> None:
    """At equal scores, and only there, nothing pulls: of e^1 and e^0 each is chosen twice, so that
    the first's gradient is 2 * .73106 - 1 = .46212.
    """
    equal, apart = tensor([1.0, 1.0]).requires_grad_(), tensor([1.0, 0.0]).requires_grad_()
    for scores in (equal, apart):
        losses.plackett_luce_loss(scores, [1, 1]).backward()  # type: ignore[no-untyped-call]
    assert equal.grad is not None
    assert apart.grad is not None
    assert equal.grad.tolist() == pytest.approx([0.0, 0.0])
    assert apart.grad.tolist() == pytest.approx([0.4621172, -0.4621172])


def test_a_list_knows_neither_level_nor_place_nor_the_ranks_numbers() -> None:
    """Scores all raised by 5, answers in another order, ranks 10, 20, 20 for 1, 2, 2: the same."""
    loss = losses.plackett_luce_loss(tensor([0.3, -1.0, 2.0]), [1, 2, 2]).item()
    for scores, ranks in [
        ([5.3, 4.0, 7.0], [1, 2, 2]),
        ([2.0, 0.3, -1.0], [2, 1, 2]),
        ([0.3, -1.0, 2.0], [10, 20, 20]),
    ]:
        assert losses.plackett_luce_loss(tensor(scores), ranks).item() == pytest.approx(loss)


def test_centring_a_list_costs_each_of_its_choices() -> None:
    """Scores 1, 1, 1: every pair's sum squared is 4; two choices at .1 add .8 to log 6."""
    loss = losses.plackett_luce_loss(tensor([1.0, 1.0, 1.0]), [1, 2, 3], center=0.1)
    assert loss.item() == pytest.approx(math.log(6) + 0.8)


@pytest.mark.parametrize("count", [0, 1])
def test_a_list_of_less_than_two_costs_nothing(count: int) -> None:
    """There is no order."""
    assert losses.plackett_luce_loss(tensor([2.0] * count), [1] * count).item() == 0.0


def test_binary_loss_is_that_of_a_probability() -> None:
    """A good answer at 1/2, a bad one at 3/4: (log 2 + log 4) / 2 = 1.5 log 2."""
    loss = losses.binary_loss(tensor([0.0, math.log(3)]), [True, False])
    assert loss.item() == pytest.approx(1.5 * math.log(2))
    assert losses.binary_loss(tensor([]), []).item() == 0.0


def test_rank_margins_grow_with_the_distance() -> None:
    """Ranks 1, 3, 2 at .5 a rank: the first over the second 1, over the third .5; that over the
    second .5; nothing the other way.
    """
    margins = losses.rank_margins([1, 3, 2], 0.5)
    assert margins.tolist() == [[0.0, 1.0, 0.5], [0.0, 0.0, 0.0], [0.0, 0.5, 0.0]]


def test_a_rank_margin_is_taken_from_its_pair() -> None:
    """Gap 1 over two ranks at .5 each leaves 0: log 2."""
    margin = losses.rank_margins([1, 3], 0.5)
    assert losses.ranking_loss(tensor([1.0, 0.0]), [1, 3], margin).item() == pytest.approx(
        math.log(2)
    )


@pytest.mark.parametrize("unrated", [None, NAN])
def test_rating_margins_are_of_what_is_rated(unrated: float | None) -> None:
    """Ratings 5, none, 3 at .25 a point: the first over the third .5, and nothing else."""
    margins = losses.rating_margins([5, unrated, 3], 0.25)
    assert margins.tolist() == [[0.0, 0.0, 0.5], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


def test_ratings_that_gainsay_the_ranks_ask_for_nothing() -> None:
    """Ranked first and rated 2 against 5: the pair costs its plain .31326."""
    margin = losses.rating_margins([2, 5], 1.0)
    loss = losses.ranking_loss(tensor([1.0, 0.0]), [1, 2], margin)
    assert loss.item() == pytest.approx(0.3132617)


def test_adaptive_kl_moves_at_most_a_fifth() -> None:
    """KL 6 at target 3 is clipped to +.2: coef .1 * (1 + .2 * 50 / 100) = .11; KL 2.7 is -.1."""
    control = AdaptiveKL(coef=0.1, target=3.0, horizon=100)
    control.update(6.0, 50)
    assert control.coef == pytest.approx(0.11)
    control.update(2.7, 50)
    assert control.coef == pytest.approx(0.11 * 0.95)


def test_token_logps_are_of_the_tempered_softmax() -> None:
    """Logits ln 1, ln 3: p = 1/4, 3/4; at temperature 1/2 the odds square: 1/10, 9/10."""
    logits, ids = tensor([[0.0, math.log(3.0)]]), torch.tensor([1])
    assert losses.token_logps(logits, ids).item() == pytest.approx(math.log(0.75))
    assert losses.token_logps(logits, ids, 0.5).item() == pytest.approx(math.log(0.9))


def test_entropy_of_even_odds_and_of_certainty() -> None:
    """Two even tokens: ln 2; a token that cannot occur adds nothing."""
    values = losses.entropy(tensor([[0.0, 0.0], [0.0, -math.inf]]))
    assert values.tolist() == pytest.approx([math.log(2), 0.0])


def test_full_kl_by_hand() -> None:
    """p = (1/2, 1/2), q = (1/4, 3/4): .5 ln 2 + .5 ln(2/3) = .14384; of itself 0."""
    p, q = tensor([[0.0, 0.0]]), tensor([[0.0, math.log(3.0)]])
    assert losses.full_kl(p, q).item() == pytest.approx(0.5 * math.log(4 / 3))
    assert losses.full_kl(q, q).item() == 0.0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_dtype_that_comes_in_goes_out(dtype: torch.dtype) -> None:
    """No function widens or narrows what it was given."""
    x, mask = torch.ones(2, 3, dtype=dtype), torch.ones(2, 3)
    logits, ids = torch.zeros(2, 3, 4, dtype=dtype), torch.zeros(2, 3, dtype=torch.long)
    results = [
        losses.masked_mean(x, mask),
        losses.whiten(x, mask),
        *losses.gae(x, x, mask, 1.0, 0.95),
        losses.rloo_advantages(x),
        losses.kl_estimate(x, x, "k3"),
        losses.policy_loss(x, x, x, mask, 0.2)[0],
        losses.value_loss(x, x, x, mask, 0.2),
        losses.ranking_loss(x[0], [1, 2, 3]),
        losses.plackett_luce_loss(x[0], [1, 2, 2]),
        losses.binary_loss(x[0], [True, False, True]),
        losses.token_logps(logits, ids),
        losses.entropy(logits),
        losses.full_kl(logits, logits),
    ]
    assert {result.dtype for result in results} == {dtype}
