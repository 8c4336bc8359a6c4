"""Distributions over the vocabulary, at once and piece by piece."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from benchmarks.memory import peak_over
from learner import vocabulary
from learner.vocabulary import Distributions, Told, told

WIDTH, WORDS, TOKENS = 8, 50, 7


def made(words: int, tokens: int, seed: int, dtype: torch.dtype = torch.float64) -> Distributions:
    """Random states and a random head."""
    generator = torch.Generator().manual_seed(seed)
    head = nn.Linear(WIDTH, words, bias=False, dtype=dtype)
    with torch.no_grad():
        head.weight.normal_(0, 0.5, generator=generator)
    states_ND = torch.randn(tokens, WIDTH, generator=generator, dtype=dtype)
    return Distributions(states_ND.requires_grad_(), head, 0.7)


def loss_of(found: Told) -> Tensor:
    """Something in which every figure has a weight of its own at every token."""
    assert found.kl_N is not None
    weights_N = torch.arange(1.0, len(found.logps_N) + 1)
    return (weights_N * (found.logps_N + 2 * found.kl_N - 3 * found.entropy_N)).sum()


@pytest.fixture
def two_tokens_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven tokens make four pieces, the last of one token."""
    monkeypatch.setattr(vocabulary, "BUDGET", TOKENS * WORDS - 1)
    monkeypatch.setattr(vocabulary, "PIECE", 2 * WORDS + 1)


def figures_and_gradients() -> tuple[Told, list[Tensor]]:
    policy, reference = made(WORDS, TOKENS, 1), made(WORDS, TOKENS, 2)
    targets_N = torch.arange(TOKENS)
    found = told(policy, targets_N, reference, entropy_gradient=True)
    inputs = [policy.states_ND, policy.head.weight]
    return found, list(torch.autograd.grad(loss_of(found), inputs))  # type: ignore[arg-type]


def test_pieces_say_and_teach_what_the_whole_does(request: pytest.FixtureRequest) -> None:
    """Each figure, and the gradients of states and head, to the rounding of float64."""
    whole, gradients = figures_and_gradients()
    request.getfixturevalue("two_tokens_at_once")
    parts, again = figures_and_gradients()
    for name in ("logps_N", "entropy_N", "kl_N", "ref_logps_N"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=0, atol=1e-12)
    for mine, its in zip(again, gradients, strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=1e-12)


def test_figures_by_hand() -> None:
    """Logits 0 and ln 3, so 1/4 and 3/4, against a reference of 1/2 each.

    Of the second word: log 3/4 and log 1/2; entropy -(1/4 log 1/4 + 3/4 log 3/4) = .5623;
    KL log 2 - .5623 = .1308.
    """

    def of(weights: list[float]) -> Distributions:
        head = nn.Linear(1, 2, bias=False)
        head.weight.data = torch.tensor(weights)[:, None]
        return Distributions(torch.ones(1, 1), head, 1.0)

    found = told(of([0.0, float(torch.tensor(3.0).log())]), torch.tensor([1]), of([0.0, 0.0]))
    assert found.kl_N is not None
    assert found.ref_logps_N is not None
    columns = (found.logps_N, found.ref_logps_N, found.entropy_N, found.kl_N)
    expected = [-0.28768, -0.69315, 0.56233, 0.13081]
    assert [column.item() for column in columns] == pytest.approx(expected, abs=1e-5)


def test_half_precision_is_widened() -> None:
    """States and head in bfloat16: figures in float32, and the states' gradient in bfloat16."""
    policy = made(WORDS, TOKENS, 1, torch.bfloat16)
    found = told(policy, torch.arange(TOKENS))
    assert found.logps_N.dtype is torch.float32
    [gradient] = torch.autograd.grad(found.logps_N.sum(), [policy.states_ND])
    assert gradient.dtype is torch.bfloat16


def peak(words: int, tokens: int) -> int:
    """Bytes that figures and gradient take at most above what there was before."""

    def call() -> None:
        policy, reference = (made(words, tokens, seed, torch.float32) for seed in (1, 2))
        loss_of(told(policy, torch.arange(tokens), reference)).backward()  # type: ignore[no-untyped-call]

    call()  # what is made once, for all calls
    return peak_over(call)


PEAKS = """
from learner import blocks, vocabulary
from tests.test_learner_vocabulary import peak
blocks.give_back()
print(peak(60_000, 512))
vocabulary.BUDGET = 2**40
print(peak(60_000, 512))
"""


def test_a_large_vocabulary_takes_less_memory_in_pieces() -> None:
    """512 tokens of 60,000 words are 117 MiB of logits: the whole holds several of that at once,
    pieces of 8 MiB less than one. In a process of its own, whose freed blocks are given back.
    """
    command = [sys.executable, "-c", PEAKS]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    pieces, whole = (int(line) / 2**20 for line in found.stdout.split())
    assert pieces < 117
    assert whole > 5 * 117
