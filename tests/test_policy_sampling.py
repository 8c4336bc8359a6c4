"""Drawing a token: expected values are worked out by hand or come from the formula itself."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from policy.sampling import SamplingParams, cut, draw, invert, row_key, stack, uniforms

# Three tokens of probability 0.5, 0.3 and 0.2.
LOGITS = torch.tensor([0.5, 0.3, 0.2]).log()


def at(uniform: float, params: SamplingParams) -> tuple[int, float, float]:
    """The id, log-probability as sampled and raw one of one draw from LOGITS."""
    number = torch.tensor([uniform], dtype=torch.float64)
    drawn = draw(LOGITS[None], number, stack([params], torch.device("cpu")))
    return int(drawn.ids_B), float(drawn.logps_B), float(drawn.raw_logps_B)


@pytest.mark.parametrize(
    ("uniform", "expected"), [(0.0, 0), (0.49, 0), (0.51, 1), (0.79, 1), (0.81, 2), (0.999, 2)]
)
def test_draw_inverts_the_cumulative_sum(uniform: float, expected: int) -> None:
    """Cumulative sums .5, .8, 1: a number falls into the first sum that exceeds it."""
    token, logp, raw = at(uniform, SamplingParams())
    assert token == expected
    assert logp == raw == pytest.approx(float(LOGITS[expected]), abs=1e-6)


@pytest.mark.parametrize(("uniform", "expected"), [(0.0, 1), (1 - 2.0**-48, 2)])
def test_what_is_impossible_is_never_drawn(uniform: float, expected: int) -> None:
    """Of four tokens only the two in the middle are possible: neither the least number nor the
    greatest finds another."""
    logits = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]])
    params = stack([SamplingParams()], torch.device("cpu"))
    drawn = draw(logits, torch.tensor([uniform], dtype=torch.float64), params)
    assert int(drawn.ids_B) == expected


def test_greedy_takes_the_best_with_certainty() -> None:
    """Temperature 0 ignores the number; the token was certain as sampled and has its raw .5."""
    token, logp, raw = at(0.999, SamplingParams(temperature=0.0))
    assert (token, logp) == (0, 0.0)
    assert raw == pytest.approx(math.log(0.5), abs=1e-6)


def test_temperature_sharpens_as_sampled_only() -> None:
    """At T = 1/2 probabilities are squared: .25, .09, .04 over .38; the raw ones stay."""
    token, logp, raw = at(0.7, SamplingParams(temperature=0.5))
    assert token == 1  # .25/.38 = .658 < .7 < .34/.38 = .895
    assert logp == pytest.approx(math.log(0.09 / 0.38), abs=1e-6)
    assert raw == pytest.approx(math.log(0.3), abs=1e-6)


def test_top_k_renormalises() -> None:
    """Of the best two, .5/.8 = .625 and .375 are left."""
    assert at(0.62, SamplingParams(top_k=2))[0] == 0
    token, logp, raw = at(0.999, SamplingParams(top_k=2))
    assert token == 1
    assert logp == pytest.approx(math.log(0.375), abs=1e-6)
    assert raw == pytest.approx(math.log(0.3), abs=1e-6)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.01, 1), (0.49, 1), (0.51, 2), (0.79, 2), (0.81, 3), (1.0, 3)]
)
def test_top_p_keeps_the_smallest_sufficient_set(top_p: float, kept: int) -> None:
    """A token is kept while the ones above it hold less than top_p: .5, then .8."""
    params = stack([SamplingParams(top_p=top_p)], torch.device("cpu"))
    left = cut(LOGITS[None], params)
    assert left.isfinite().tolist() == [[True] * kept + [False] * (3 - kept)]


def test_top_p_counts_what_top_k_left() -> None:
    """top_k 2 leaves .625 and .375: top_p .6 then keeps one token, though .5 alone is below .6."""
    params = stack([SamplingParams(top_p=0.6, top_k=2)], torch.device("cpu"))
    left = cut(LOGITS[None], params)
    assert left.isfinite().tolist() == [[True, False, False]]


@pytest.mark.parametrize(("min_p", "kept"), [(0.0, 3), (0.39, 3), (0.41, 2), (0.59, 2), (0.61, 1)])
def test_min_p_is_measured_by_the_likeliest(min_p: float, kept: int) -> None:
    """.3 and .2 are .6 and .4 of .5."""
    left = cut(LOGITS[None], stack([SamplingParams(min_p=min_p)], torch.device("cpu")))
    assert left.isfinite().tolist() == [[True] * kept + [False] * (3 - kept)]


def test_likeliest_tokens_are_the_raw_models() -> None:
    """Two were asked for: .5 and .3, whatever the temperature."""
    asked = stack([SamplingParams(temperature=0.1, top_logprobs=2)], torch.device("cpu"))
    top = draw(LOGITS[None], torch.zeros(1, dtype=torch.float64), asked).rows()[0][3]
    assert [id for id, _ in top] == [0, 1]
    assert [math.exp(logp) for _, logp in top] == pytest.approx([0.5, 0.3])


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (SamplingParams(), [0.5, 0.3, 0.2]),
        (SamplingParams(temperature=0.5), [0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38]),
        (SamplingParams(top_k=2), [0.625, 0.375]),
        (SamplingParams(temperature=0.0), [1.0]),
    ],
)
def test_odds_are_of_what_was_drawn_from(params: SamplingParams, expected: list[float]) -> None:
    """At half the temperature probabilities are squared and made to sum to 1; what was cut, or not
    the greedy choice, could not be drawn at all."""
    asked = stack([replace(params, odds=3)], torch.device("cpu"))
    odds = draw(LOGITS[None], torch.zeros(1, dtype=torch.float64), asked).rows()[0][4]
    assert [math.exp(logp) for _, logp in odds] == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_no_number_is_said_to_be_none(temperature: float) -> None:
    """A row of NaN still yields an id of the vocabulary, without a log-probability."""
    logits = torch.stack([LOGITS, torch.full((3,), math.nan)])
    asked = stack([SamplingParams(temperature=temperature)] * 2, torch.device("cpu"))
    drawn = draw(logits, torch.full((2,), 0.6, dtype=torch.float64), asked)
    assert drawn.raw_logps_B.isnan().tolist() == [False, True]
    assert drawn.ids_B.max() < 3


def test_rows_of_a_batch_keep_their_own_parameters() -> None:
    """Each row of a mixed batch is drawn as if it were alone."""
    mixed = [
        SamplingParams(),
        SamplingParams(temperature=0.0),
        SamplingParams(temperature=0.5),
        SamplingParams(top_k=2),
        SamplingParams(top_p=0.5),
    ]
    number = torch.full((5,), 0.9, dtype=torch.float64)
    drawn = draw(LOGITS.expand(5, 3), number, stack(mixed, torch.device("cpu")))
    alone = [at(0.9, params) for params in mixed]
    assert drawn.ids_B.tolist() == [token for token, _, _ in alone] == [2, 0, 2, 1, 0]
    assert drawn.logps_B.tolist() == pytest.approx([logp for _, logp, _ in alone], abs=1e-6)
    assert drawn.raw_logps_B.tolist() == pytest.approx([raw for _, _, raw in alone], abs=1e-6)


def test_impossible_tokens_are_never_drawn() -> None:
    """Numbers at both ends of [0, 1) miss tokens of probability zero at both ends."""
    logps = torch.tensor([[-math.inf, 0.0, -math.inf]]).expand(2, 3)
    ends = torch.tensor([0.0, 1 - 2.0**-48], dtype=torch.float64)
    assert invert(logps, ends).tolist() == [1, 1]


def streams(seeds: range, steps: int) -> Tensor:
    """Numbers [seeds, steps], each seed's first row."""
    keys = torch.tensor([row_key(seed, 0) for seed in seeds])
    return torch.stack([uniforms(keys, torch.full_like(keys, step)) for step in range(steps)], 1)


def test_uniforms_are_uniform_and_independent() -> None:
    """Mean 1/2, variance 1/12 and no correlation between neighbouring steps or seeds, each within
    five standard errors at 40,000 numbers."""
    numbers = streams(range(200), 200)
    centred = numbers - 0.5
    error = 5 / math.sqrt(numbers.numel())
    assert abs(float(centred.mean())) < error * math.sqrt(1 / 12)
    assert abs(float(centred.square().mean()) - 1 / 12) < error * math.sqrt(1 / 180)
    assert abs(float((centred[:, 1:] * centred[:, :-1]).mean())) < error / 12
    assert abs(float((centred[1:] * centred[:-1]).mean())) < error / 12
    assert 0 <= float(numbers.min()) < float(numbers.max()) < 1


def test_uniforms_follow_the_reference() -> None:
    """SplitMix64 from state 0 begins with 0xE220A8397B1DCDAF, of which the upper 48 bits count."""
    first = uniforms(torch.tensor([0]), torch.tensor([0]))
    assert float(first) == (0xE220A8397B1DCDAF >> 16) / 2**48


def test_row_keys_differ() -> None:
    """Seeds, negative and huge ones too, and indices lead to different streams."""
    keys = {row_key(seed, index) for seed in (-1, 0, 1, 2, 2**63, 2**64 - 2) for index in range(9)}
    assert len(keys) == 54
    assert all(-(2**63) <= key < 2**63 for key in keys)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.5])
def test_draws_follow_the_distribution(temperature: float) -> None:
    """Chi-square over 8 tokens and 20,000 draws, against its 99.9 % point of 24.3 (7 degrees)."""
    logits = torch.linspace(-1.0, 1.0, 8)
    expected = (logits / temperature).softmax(-1) * 20_000
    keys = torch.tensor([row_key(11, index) for index in range(20_000)])
    params = stack([SamplingParams(temperature=temperature)] * 20_000, torch.device("cpu"))
    ids = draw(logits.expand(20_000, 8), uniforms(keys, torch.zeros_like(keys)), params).ids_B
    counts = torch.bincount(ids, minlength=8)
    assert float(((counts - expected).square() / expected).sum()) < 24.3
