"""Prompts with their replies to padded tensors."""

from __future__ import annotations

import random
from pathlib import Path

import torch

from learner.batching import Group, by_length, by_tokens, collate, passes
from learner.vocabulary import Distributions
from policy.model import load
from tests.tiny_models import make_tiny


def test_indices_point_at_what_predicts_each_reply_token() -> None:
    """Row 0 is 5 6 | 7 8 | 9: token 7 and token 9 are both predicted from the prompt's last."""
    batch = collate([Group((5, 6), ((7, 8), (9,))), Group((4,), ((3,),))])
    assert batch.ids_BT.tolist() == [[5, 6, 7, 8, 9], [4, 3, 0, 0, 0]]
    assert batch.positions_BT.tolist() == [[0, 1, 2, 3, 2], [0, 1, 0, 0, 0]]
    assert batch.targets_N.tolist() == [7, 8, 9, 3]
    assert batch.predicts_N.tolist() == [1, 2, 1, 5]
    assert batch.reply_N.tolist() == [0, 0, 1, 2]
    assert batch.offset_N.tolist() == [0, 1, 0, 0]
    assert batch.last_R.tolist() == [3, 4, 6]


def test_a_reply_sees_its_prompt_and_itself_only() -> None:
    """Of 5 6 | 7 8 | 9, token 9 sees 5, 6 and 9, and token 8 sees 5, 6, 7 and 8."""
    sees = collate([Group((5, 6), ((7, 8), (9,)))]).sees_B1TT
    assert sees is not None
    assert sees[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]


def test_one_reply_each_needs_no_mask() -> None:
    """Plain causal attention says it all, and is faster."""
    assert collate([Group((5, 6), ((7, 8),)), Group((4,), ((3,),))]).sees_B1TT is None


def test_shared_prompts_change_no_logits(tmp_path: Path) -> None:
    """Two replies in one row get the logits that each gets in a row of its own."""
    make_tiny(tmp_path, "llama", seed=0)
    net = load(tmp_path).net
    prompt, one, two = (5, 6, 7), (8, 9, 10), (11, 12)
    with torch.no_grad():
        shared = Distributions.of(
            net, collate([Group(prompt, (one, two)), Group((9,), ((8,),))])
        ).logits_NV()
        apart = Distributions.of(
            net, collate([Group(prompt, (one,)), Group(prompt, (two,))])
        ).logits_NV()
    torch.testing.assert_close(shared[:5], apart, atol=1e-5, rtol=0)


def test_a_reply_holding_the_padding_id_still_counts() -> None:
    """Id 0 pads, and is a token all the same where a reply has it."""
    batch = collate([Group((1, 0), ((0, 0),)), Group((2,), ((4,),))])
    assert batch.lengths_R.tolist() == [2, 1]


def test_placed_puts_values_at_their_reply_and_offset() -> None:
    """Three tokens in two replies: (.1, .2) and (.3), 0 behind the shorter one's end."""
    batch = collate([Group((5, 6), ((7, 8), (9,)))])
    placed = batch.placed(torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64))
    assert placed.tolist() == [[0.1, 0.2], [0.3, 0.0]]


def test_by_length_covers_everything_once_and_wastes_little() -> None:
    """Every index once; under a fifth is padding where lengths run from 1 to 64."""
    lengths = [1 + i % 64 for i in range(256)]
    groups = by_length(lengths, 16, random.Random(1))
    assert sorted(i for group in groups for i in group) == list(range(256))
    padded = sum(max(lengths[i] for i in group) * len(group) for group in groups)
    assert 1 - sum(lengths) / padded < 0.2


def test_by_tokens_fills_groups_up_to_the_bound() -> None:
    """1 + 1 + 3 tokens fill a group of 5, and 9 are one of their own: three groups."""
    groups = by_tokens([1, 3, 20, 9, 1], [1, 3, 5, 9, 1], 5, random.Random(0))
    assert sorted(map(sorted, groups)) == [[0, 1, 4], [2], [3]]


def test_a_pass_holds_rows_of_like_length() -> None:
    """Every index once; 40 rows of 73 to 229 tokens waste less than a tenth, and no pass of two
    rows or more is longer than 512 tokens.
    """
    lengths = [73 + 4 * i for i in range(40)]
    runs = passes(lengths)
    assert sorted(i for run in runs for i in run) == list(range(40))
    padded = [max(lengths[i] for i in run) * len(run) for run in runs]
    assert 1 - sum(lengths) / sum(padded) < 0.1
    assert max(padded) <= 512


def test_few_tokens_share_a_pass_whatever_their_lengths() -> None:
    """10 + 20 + 100 tokens are too few to part, and a row of 600 is a pass of its own."""
    assert passes([100, 600, 20, 10]) == [[3, 2, 0], [1]]
