"""The compiled decode step, piece by piece, against torch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from policy import kernels
from policy.cache import SlotCache
from policy.compiled_decoder import CompiledDecoder
from policy.decoder import ModuleDecoder
from policy.decoders import decoder
from policy.kernels import Weights
from policy.lean_decoder import LeanDecoder
from policy.model import load
from tests.tiny_models import make_tiny

NONE: Any = np.empty(0, np.float32)
EPS = np.float32(1e-6)


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def array(values: Any) -> Any:
    return np.array(values, np.float32)


def multiplied(x: Any, weight: Any, bias: Any = NONE) -> Any:
    """x W + b, by the few rows' product."""
    return kernels.logits(x, np.ones(x.shape[1], np.float32), EPS, weight, bias)


def normed(x: Any) -> Any:
    x = torch.from_numpy(x).double()
    return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()


def weights(**given: Any) -> Weights:
    return Weights(**dict.fromkeys(Weights._fields, NONE) | given)


def test_norm_by_hand() -> None:
    """3 and 4 have the mean square 12.5, so they become .8485 and 1.1314, times the weights."""
    out = kernels.norm(array([[3, 4]]), array([1, 10]), np.float32(0))
    assert out == pytest.approx(np.array([[0.848528, 11.31371]]))


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 8, 11])
@pytest.mark.parametrize(("terms", "columns"), [(4, 3), (68, 70), (128, 2051)])
def test_products_of_any_size(rows: int, terms: int, columns: int) -> None:
    """Rows by fours and one by one, sums in parts and their rest, columns beyond one block."""
    x, weight, bias = random(rows, terms), random(terms, columns, seed=1), random(columns, seed=2)
    expected = normed(x) @ torch.from_numpy(weight).double() + torch.from_numpy(bias)
    assert multiplied(x, weight, bias) == pytest.approx(expected.numpy(), abs=1e-4)


def test_a_nan_stays_in_its_row() -> None:
    """Of five rows, which share their products by fours, the third is lost and no other."""
    x, weight = random(5, 16), random(16, 8, seed=1)
    clean = multiplied(x, weight)
    x[2, 7] = np.nan
    spoilt = multiplied(x, weight)
    assert np.isnan(spoilt[2]).all()
    assert (np.delete(spoilt, 2, 0) == np.delete(clean, 2, 0)).all()


def test_attention_sees_what_a_row_holds() -> None:
    """Two rows of three and of seven positions, two queries to a head of keys. What lies beyond a
    row's end is NaN, and never read; the new keys and values are written to it."""
    queries, keys, width = 4, 2, 8
    flat, slots = random(2, (queries + 2 * keys) * width), random(3, 2 * keys, 16, width, seed=1)
    lengths = np.array([3, 7])
    for row, length in enumerate(lengths):
        slots[row, :, length:] = np.nan
    heads = flat.reshape(2, -1, width).copy()
    turns = np.empty((0, 2, width), np.float32)
    scale = np.float32(0.5)
    found = kernels.attend(flat, lengths, slots, turns, weights(), queries, scale, EPS)
    for row, length in enumerate(lengths):
        assert (slots[row, :, length] == heads[row, queries:]).all()
        held = torch.from_numpy(slots[row, :, : length + 1]).double()
        expected = F.scaled_dot_product_attention(
            torch.from_numpy(heads[row, :queries]).double()[:, None],
            held[:keys].repeat_interleave(2, 0),
            held[keys:].repeat_interleave(2, 0),
            scale=0.5,
        )
        assert found[row] == pytest.approx(expected.flatten().numpy(), abs=1e-5)


def test_heads_are_turned_to_their_position() -> None:
    """A quarter turn at position 1: the first half becomes minus the second, which becomes the
    first. Values are not turned."""
    flat = array([[1, 2, 3, 4, 5, 6]])  # a query, a key, a value of width 2
    slots = np.zeros((1, 2, 4, 2), np.float32)
    turns = np.zeros((4, 2, 2), np.float32)
    turns[1, 1] = [-1, 1]  # sines, the first half's negative; the cosines are 0
    kernels.attend(flat, np.array([1]), slots, turns, weights(), 1, np.float32(1), EPS)
    assert flat[0].tolist() == [-2, 1, -4, 3, 5, 6]
    assert slots[0, :, 1].tolist() == [[-4, 3], [5, 6]]


@pytest.mark.parametrize("rows", [2, kernels.FEW + 1])
@pytest.mark.parametrize("shape", ["llama", "qwen2", "qwen3", "smollm3"])
def test_a_step_is_that_of_the_modules(tmp_path: Any, shape: str, rows: int) -> None:
    """Few rows and many, each of another length, prompt and next token: within 1e-4 of what
    transformers' own modules give. So does torch's own attention, which several threads share."""
    net = load(make_tiny(tmp_path, shape)).net
    prompts = torch.arange(rows * 9).view(rows, 9) % 300
    expected = net(input_ids=prompts).logits[:, -1]
    for threads, kind in ((1, CompiledDecoder), (2, LeanDecoder)):
        torch.set_num_threads(threads)
        with torch.inference_mode():
            cache = SlotCache(rows * 32, 32)
            passes = decoder(net, cache)
            torch.set_num_threads(1)
            assert type(passes) is kind
            cache.prefill(torch.arange(rows))
            passes.prefill(prompts[:, :8])
            lengths = torch.full((rows,), 8)
            cache.decode(lengths, 8)
            logits = passes.decode(prompts[:, 8], lengths, lambda: torch.zeros(rows, 1, 1, 9))
        assert torch.allclose(logits, expected, atol=1e-4)


def test_other_models_go_by_their_modules(tmp_path: Any) -> None:
    """Another build of layers, and sizes that the kernels do not take."""
    assert type(decoder(load(make_tiny(tmp_path / "a", "olmo2")).net, SlotCache(9, 9))) is (
        ModuleDecoder
    )
    odd = load(make_tiny(tmp_path / "b", intermediate_size=126)).net
    assert type(decoder(odd, SlotCache(9, 9))) is LeanDecoder
