"""A Llama-shaped model's decode step, compiled for this processor by numba: float32, one thread.

1. `step` takes a few rows through a layer, `logits` through the last norm and the head. Between two
   calls lies next to no Python: a small model's step on a CPU is else mostly the cost of starting
   operations, whose own code the weights push out of the near caches each time.
2. Products read each weight once for four rows; their sums are taken in parts, so that rounding
   does not add up. Of many rows a library's products are quicker: those take `norm` and `attend`.
3. Attention goes row by row over the positions that a row holds, and reads each once.

What is compiled is kept on disk for the next process. Sums may be reordered, so that they are
vectors; a NaN keeps its meaning, and its row. They know no model. Axes: B rows, H hidden, V
columns, A heads of queries, K heads of keys and as many of values, D width of a head, T positions,
S slots.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

UNIT = 4
"""Terms of a sum that are taken at a time: their number is a multiple of it."""
PART = 64
"""Terms of a product's sum that are added up by themselves."""
COLUMNS = 2048
"""Of a product that are computed at a time: four rows of them fit the nearest cache."""

FEW = 12
"""Rows up to which the products here are the quicker ones."""

Array = Any


class Weights(NamedTuple):
    """One layer's, matrices as [terms, columns], one row after another in memory. An empty bias or
    norm is none."""

    before: Array
    qkv: Array
    qkv_bias: Array
    query_norm: Array
    key_norm: Array
    out: Array
    out_bias: Array
    between: Array
    gate_up: Array
    gate_up_bias: Array
    down: Array
    down_bias: Array


Function = Callable[..., Any]


def _kernel(*freedoms: str) -> Callable[[Function], Function]:
    """Compiled when it is first called, with these freedoms of LLVM's."""

    def compiled(function: Function) -> Function:
        kernel = njit(nogil=True, error_model="numpy", fastmath=set(freedoms))(function)
        with suppress(RuntimeError):  # there is no folder to keep it in
            kernel.enable_caching()
        return kernel

    return compiled


_compiled = _kernel("reassoc", "contract", "arcp", "nsz")
"""Sums in any order, so that they are vectors; NaN and infinity keep their meaning."""
_in_order = _kernel("contract")


def fit(weight: Tensor) -> bool:
    """Whether these are for a model of such weights. Of several threads torch's own operations make
    better use."""
    return (
        weight.device.type == "cpu"
        and weight.dtype is torch.float32
        and torch.get_num_threads() == 1
    )


def prepare() -> None:
    """Compiles them all, so that whoever decodes first need not wait."""
    none, vector = np.empty(0, np.float32), np.ones(UNIT, np.float32)
    matrix, turns = np.ones((UNIT, UNIT), np.float32), np.ones((1, 2, UNIT), np.float32)
    weights = Weights(
        before=vector,
        qkv=np.ones((UNIT, 3 * UNIT), np.float32),
        qkv_bias=none,
        query_norm=none,
        key_norm=none,
        out=matrix,
        out_bias=none,
        between=vector,
        gate_up=np.ones((UNIT, 2 * UNIT), np.float32),
        gate_up_bias=none,
        down=matrix,
        down_bias=none,
    )
    slots, eps = np.ones((1, 2, 1, UNIT), np.float32), np.float32(1)
    step(matrix[:1], np.zeros(1, np.int64), slots, turns, weights, 1, eps, eps)
    logits(matrix[:1], vector, eps, matrix, none)
    one, ids, greedy = vector[:1].copy(), np.zeros(1, np.int64), np.ones(1, np.bool_)
    draw(matrix[:1], one.astype(np.float64), one, greedy, ids, one.copy(), one.copy())


@_compiled
def step(
    x: Array,
    lengths: Array,
    slots: Array,
    turns: Array,
    weights: Any,
    queries: int,
    scale: Any,
    eps: Any,
) -> None:
    """Takes `x` [B, H] through a layer, in place. The rows' new keys and values go to `slots`
    [S, 2 K, T, D] at positions `lengths`, beside those before them. `turns` [T, 2, D]: cosines and
    signed sines of each position, or nothing where heads are not rotated."""
    normed = norm(x, weights.before, eps)
    heads = np.zeros((len(x), weights.qkv.shape[1]), np.float32)
    _multiply(normed, weights.qkv, weights.qkv_bias, heads)
    found = attend(heads, lengths, slots, turns, weights, queries, scale, eps)
    _multiply(found, weights.out, weights.out_bias, x)
    normed = norm(x, weights.between, eps)
    gate_up = np.zeros((len(x), weights.gate_up.shape[1]), np.float32)
    _multiply(normed, weights.gate_up, weights.gate_up_bias, gate_up)
    _multiply(gated(gate_up), weights.down, weights.down_bias, x)


@_compiled
def attend(
    flat: Array,
    lengths: Array,
    slots: Array,
    turns: Array,
    weights: Any,
    queries: int,
    scale: Any,
    eps: Any,
) -> Array:
    """What the rows' heads [B, (A + 2 K) x D] find [B, A x D]; the rest as for `step`."""
    rows, keys, width = len(flat), slots.shape[1] // 2, slots.shape[3]
    heads = flat.reshape(rows, queries + 2 * keys, width)
    turn(heads, lengths, turns, weights, queries, keys, eps)
    found = np.empty((rows, queries, width), np.float32)
    _attend(heads, lengths, slots, scale, found)
    return found.reshape(rows, queries * width)


@_compiled
def turn(
    heads: Array, positions: Array, turns: Array, weights: Any, queries: int, keys: int, eps: Any
) -> None:
    """Norms the queries and keys of `heads` [N, A + 2 K, D] where the model has it, and turns them
    to their positions."""
    _norm_heads(heads, 0, queries, weights.query_norm, eps)
    _norm_heads(heads, queries, queries + keys, weights.key_norm, eps)
    if len(turns):
        _turn(heads, turns, positions, queries + keys)


@_compiled
def logits(x: Array, weight: Array, eps: Any, head: Array, bias: Array) -> Array:
    """What the last layer gave, as logits [B, V]."""
    out = np.zeros((len(x), head.shape[1]), np.float32)
    _multiply(norm(x, weight, eps), head, bias, out)
    return out


@_compiled
def draw(
    logits: Array,
    uniforms: Array,
    temperatures: Array,
    greedy: Array,
    ids: Array,
    logps: Array,
    raw_logps: Array,
) -> None:
    """A token for each row of `logits` [B, V], by the rules of policy.sampling where nothing is cut
    and no likeliest tokens are asked for: its id, its log-probability as sampled, and the model's
    own."""
    weights = np.empty(logits.shape[1], np.float32)
    for row in range(len(logits)):
        z, temperature = logits[row], temperatures[row]
        best = _best(z)
        _exponentials(z, z[best], np.float32(1), weights)
        total = raw_total = _sum(weights)
        if temperature != 1:
            _exponentials(z, z[best], np.float32(1) / temperature, weights)
            total = _sum(weights)
        id = best if greedy[row] else _inverted(weights, uniforms[row] * total)
        ids[row] = id
        raw_logps[row] = z[id] - z[best] - math.log(raw_total)
        logps[row] = 0 if greedy[row] else (z[id] - z[best]) / temperature - math.log(total)


@_compiled
def _best(z: Array) -> int:
    """The first of the largest."""
    most = np.float32(-np.inf)
    for v in range(len(z)):
        most = max(most, z[v])
    for v in range(len(z)):
        if z[v] == most:
            return v
    return 0


@_in_order
def _sum(weights: Array) -> Any:
    """In order, so that `_inverted` reaches it."""
    total = 0.0
    for v in range(len(weights)):
        total += weights[v]
    return total


@_in_order
def _inverted(weights: Array, target: Any) -> int:
    """The first token at which the sum exceeds the target; the last one where none does."""
    reached = 0.0
    for v in range(len(weights)):
        reached += weights[v]
        if reached > target:
            return v
    return len(weights) - 1


@_compiled
def norm(x: Array, weight: Array, eps: Any) -> Array:
    """Root mean square norm (Zhang and Sennrich 2019) of each row."""
    out = np.empty_like(x)
    for row in range(x.shape[0]):
        _norm_one(x[row], weight, eps, out[row])
    return out


@_compiled
def _norm_one(x: Array, weight: Array, eps: Any, out: Array) -> None:
    squares = np.float32(0)
    for i in range(len(x)):
        squares += x[i] * x[i]
    scale = np.float32(1) / np.sqrt(squares / np.float32(len(x)) + eps)
    for i in range(len(x)):
        out[i] = x[i] * scale * weight[i]


@_compiled
def _norm_heads(heads: Array, first: int, last: int, weight: Array, eps: Any) -> None:
    """Each head by itself, as Qwen3 has it; nothing where there is no weight."""
    if len(weight):
        for row in range(heads.shape[0]):
            for head in range(first, last):
                _norm_one(heads[row, head], weight, eps, heads[row, head])


@_compiled
def _turn(heads: Array, turns: Array, positions: Array, turned: int) -> None:
    """Rotates each row's first heads to its position (Su et al. 2021)."""
    half = heads.shape[2] // 2
    for row in range(heads.shape[0]):
        cos, sin = turns[positions[row], 0], turns[positions[row], 1]
        for number in range(turned):
            head = heads[row, number]
            for d in range(half):
                x, y = head[d], head[d + half]
                head[d] = x * cos[d] + y * sin[d]
                head[d + half] = y * cos[d + half] + x * sin[d + half]


@_compiled
def _attend(heads: Array, lengths: Array, slots: Array, scale: Any, found: Array) -> None:
    """What each row's queries find in its keys and values, the new ones among them."""
    queries, width = found.shape[1], found.shape[2]
    keys = slots.shape[1] // 2
    scores = np.empty(slots.shape[2], np.float32)
    for row in range(heads.shape[0]):
        seen = lengths[row] + 1
        for number in range(2 * keys):
            slots[row, number, seen - 1] = heads[row, queries + number]
        for number in range(queries):
            shared = number // (queries // keys)
            query, out = heads[row, number], found[row, number]
            _softmax(query, slots[row, shared, :seen], scale, scores)
            values = slots[row, keys + shared]
            out[:] = 0
            for t in range(seen):
                for d in range(width):
                    out[d] += scores[t] * values[t, d]


@_compiled
def _softmax(query: Array, keys: Array, scale: Any, scores: Array) -> None:
    """Of the scaled products with each key."""
    most = np.float32(-np.inf)
    for t in range(len(keys)):
        score = np.float32(0)
        for d in range(len(query)):
            score += query[d] * keys[t, d]
        scores[t] = score * scale
        most = max(most, scores[t])
    weights = scores[: len(keys)]
    _exponentials(weights, most, np.float32(1), weights)
    total = np.float32(0)
    for t in range(len(keys)):
        total += weights[t]
    for t in range(len(keys)):
        weights[t] /= total


@_compiled
def gated(gate_up: Array) -> Array:
    """silu(gate) * up (Shazeer 2020)."""
    width = gate_up.shape[1] // 2
    out = np.empty((gate_up.shape[0], width), np.float32)
    for row in range(gate_up.shape[0]):
        gate, up, gated = gate_up[row, :width], gate_up[row, width:], out[row]
        _exponentials(gate, np.float32(0), np.float32(-1), gated)
        for i in range(width):
            gated[i] = gate[i] / (np.float32(1) + gated[i]) * up[i]
    return out


@_in_order
def _exponentials(x: Array, most: Any, scale: Any, out: Array) -> None:
    """exp((x - most) x scale) in float32, to two units in the last place, 0 below e^-87 and no more
    than e^87: 2^n times a polynomial in what is left of the exponent (Moshier's Cephes), since a
    library's function would be called for one number at a time."""
    powers = np.empty(len(x), np.int32)
    for i in range(len(x)):
        y = (x[i] - most) * scale
        nothing = y < np.float32(-87)
        y = np.float32(-87) if nothing else y
        y = np.float32(87) if y > np.float32(87) else y
        n = np.floor(y * np.float32(1.44269504) + np.float32(0.5))
        y = y - n * np.float32(0.693359375)
        y = y + n * np.float32(2.12194440e-4)
        p = np.float32(1.9875691500e-4) * y + np.float32(1.3981999507e-3)
        p = p * y + np.float32(8.3334519073e-3)
        p = p * y + np.float32(4.1665795894e-2)
        p = p * y + np.float32(1.6666665459e-1)
        p = p * y + np.float32(5.0000001201e-1)
        out[i] = p * y * y + y + np.float32(1)
        powers[i] = np.int32(0) if nothing else (np.int32(n) + np.int32(127)) << np.int32(23)
    scales = powers.view(np.float32)
    for i in range(len(x)):
        out[i] *= scales[i]


@_compiled
def _multiply(x: Array, weight: Array, bias: Array, out: Array) -> None:
    """out += x W + b."""
    rows, part = len(x), np.empty((4, COLUMNS), np.float32)
    if len(bias):
        out += bias
    for left in range(0, weight.shape[1], COLUMNS):
        right = min(left + COLUMNS, weight.shape[1])
        for first in range(0, weight.shape[0], PART):
            last = min(first + PART, weight.shape[0])
            row = 0
            while row + 4 <= rows:
                _four(x, weight, out, part, row, first, last, left, right)
                row += 4
            while row < rows:
                _one(x, weight, out, part, row, first, last, left, right)
                row += 1


@_compiled
def _four(
    x: Array,
    weight: Array,
    out: Array,
    part: Array,
    row: int,
    first: int,
    last: int,
    left: int,
    right: int,
) -> None:
    """Four rows' sums over terms first..last-1, in columns left..right-1."""
    a, b, c, d = part[0], part[1], part[2], part[3]
    columns = right - left
    part[:, :columns] = 0
    for i in range(first, last, 4):
        w0, w1 = weight[i, left:right], weight[i + 1, left:right]
        w2, w3 = weight[i + 2, left:right], weight[i + 3, left:right]
        a0, a1, a2, a3 = x[row, i], x[row, i + 1], x[row, i + 2], x[row, i + 3]
        b0, b1, b2, b3 = x[row + 1, i], x[row + 1, i + 1], x[row + 1, i + 2], x[row + 1, i + 3]
        c0, c1, c2, c3 = x[row + 2, i], x[row + 2, i + 1], x[row + 2, i + 2], x[row + 2, i + 3]
        d0, d1, d2, d3 = x[row + 3, i], x[row + 3, i + 1], x[row + 3, i + 2], x[row + 3, i + 3]
        for v in range(columns):
            a[v] += (a0 * w0[v] + a1 * w1[v]) + (a2 * w2[v] + a3 * w3[v])
            b[v] += (b0 * w0[v] + b1 * w1[v]) + (b2 * w2[v] + b3 * w3[v])
            c[v] += (c0 * w0[v] + c1 * w1[v]) + (c2 * w2[v] + c3 * w3[v])
            d[v] += (d0 * w0[v] + d1 * w1[v]) + (d2 * w2[v] + d3 * w3[v])
    for number in range(4):
        for v in range(columns):
            out[row + number, left + v] += part[number, v]


@_compiled
def _one(
    x: Array,
    weight: Array,
    out: Array,
    part: Array,
    row: int,
    first: int,
    last: int,
    left: int,
    right: int,
) -> None:
    """One row's."""
    sums, columns = part[0], right - left
    sums[:columns] = 0
    for i in range(first, last, 4):
        w0, w1 = weight[i, left:right], weight[i + 1, left:right]
        w2, w3 = weight[i + 2, left:right], weight[i + 3, left:right]
        x0, x1, x2, x3 = x[row, i], x[row, i + 1], x[row, i + 2], x[row, i + 3]
        for v in range(columns):
            sums[v] += (x0 * w0[v] + x1 * w1[v]) + (x2 * w2[v] + x3 * w3[v])
    for v in range(columns):
        out[row, left + v] += sums[v]
