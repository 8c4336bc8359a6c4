"""Conversations as token rows, and rows as batches of about equal length.

Axes: B rows of a batch, T tokens.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import cast

import torch
from transformers import PreTrainedTokenizerFast

from policy.builtin.generator import Example, examples
from policy.builtin.tokenizer import BOS, END, PAD, ROLE_TOKENS

MAX_TOKENS = 512
IGNORED = -100  # cross_entropy's mark for positions without a loss
NOT_LEARNED, LEARNED, ANSWER = 0, 1, 2  # what a token is to the loss

Span = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """One conversation: its ids, and for each of them NOT_LEARNED, LEARNED or ANSWER."""

    ids: array[int]
    part: bytes


@dataclass(frozen=True)
class Batch:
    """Rows padded on the right; `labels_BT` is IGNORED where nothing is learned."""

    ids_BT: torch.Tensor
    labels_BT: torch.Tensor
    answers_BT: torch.Tensor  # where the words that answer stand


def rows(
    seed: int,
    count: int,
    tokenizer: PreTrainedTokenizerFast,
    *,
    brief: bool = False,
    chunk: int = 2000,
) -> list[Row]:
    """The first `count` training conversations of `seed`; those over MAX_TOKENS are left out."""
    source = examples(seed, brief=brief)
    found: list[Row] = []
    for start in range(0, count, chunk):
        found += encode(list(islice(source, min(chunk, count - start))), tokenizer)
    return [row for row in found if len(row.ids) <= MAX_TOKENS]


def encode(conversations: Sequence[Example], tokenizer: PreTrainedTokenizerFast) -> list[Row]:
    """The rows that the chat template gives, assistant turns and their ends marked as learned."""
    special = {name: _id(tokenizer, name) for name in (BOS, END, *ROLE_TOKENS.values())}
    turns = [message for example in conversations for message in example.messages]
    encoded = tokenizer(
        [turn.content for turn in turns],
        add_special_tokens=False,
        split_special_tokens=True,
        return_offsets_mapping=True,
    )
    ids_of = iter(cast("list[list[int]]", encoded["input_ids"]))
    spans_of = iter(cast("list[list[Span]]", encoded["offset_mapping"]))
    found = []
    for example in conversations:
        answers = iter(example.answers)
        ids, part = [special[BOS]], [NOT_LEARNED]
        for message in example.messages:
            text, spans = next(ids_of), next(spans_of)
            ids += [special[ROLE_TOKENS[message.role]], *text, special[END]]
            if message.role == "assistant":
                part += [NOT_LEARNED, *_parts(message.content, spans, next(answers, ())), LEARNED]
            else:
                part += [NOT_LEARNED] * (len(text) + 2)
        found.append(Row(array("H", ids), bytes(part)))
    return found


def _parts(text: str, spans: Sequence[Span], answers: Sequence[str]) -> list[int]:
    """For each token of a reply whether it belongs to the words that answer."""
    lowered, held = text.lower(), set[int]()
    for answer in filter(None, answers):
        for match in re.finditer(rf"(?<!\w){re.escape(answer.lower())}(?!\w)", lowered):
            held.update(range(*match.span()))
    return [ANSWER if held.intersection(range(*span)) else LEARNED for span in spans]


def batches(rows: Sequence[Row], tokens: int, pad: int, seed: int) -> Iterator[Batch]:
    """One pass over `rows`, in batches of at most `tokens` tokens.

    Batches come in random order. Rows of like length share one; a little noise in the sort
    keeps the company from being the same in every pass.
    """
    rng = Random(f"{seed} batches")
    ordered = sorted(rows, key=lambda row: len(row.ids) + rng.random() * 6)
    groups: list[list[Row]] = [[]]
    widest = 0
    for row in ordered:
        widest = max(widest, len(row.ids))
        if groups[-1] and (len(groups[-1]) + 1) * widest > tokens:
            groups.append([])
            widest = len(row.ids)
        groups[-1].append(row)
    rng.shuffle(groups)
    for group in groups:
        yield _padded(group, pad)


def _padded(group: Sequence[Row], pad: int) -> Batch:
    width = max(len(row.ids) for row in group)
    ids_BT = torch.full((len(group), width), pad)
    parts_BT = torch.full((len(group), width), NOT_LEARNED)
    for place, row in enumerate(group):
        ids_BT[place, : len(row.ids)] = torch.tensor(row.ids.tolist())
        parts_BT[place, : len(row.ids)] = torch.tensor(list(row.part))
    labels_BT = ids_BT.masked_fill(parts_BT == NOT_LEARNED, IGNORED)
    return Batch(ids_BT, labels_BT, parts_BT == ANSWER)


def pad_id(tokenizer: PreTrainedTokenizerFast) -> int:
    """The id of the padding token."""
    return _id(tokenizer, PAD)


def _id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    found = tokenizer.convert_tokens_to_ids(token)
    assert isinstance(found, int), "one token has one id"
    return found
