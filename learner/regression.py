"""The regression set: what the model could do before anybody ranked, and must go on doing."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from learner import ranks
from learner.batching import Group, collate
from learner.rollout import Prompt, Sampling, roll_out
from learner.vocabulary import reply_logps_N
from policy.builtin import generator as builtin
from policy.builtin.generator import Prompt as BuiltinPrompt
from policy.chat import Message
from policy.model import Model

LONGEST_ANSWER = 96
"""Tokens of a greedy answer."""


class Regression(Protocol):
    """A score between 0 and 1; a version may not fall far below that of what it is held near."""

    @property
    def what(self) -> str:
        """What is counted, for people."""

    def score(self, model: Model) -> float:
        """The model's score."""


@dataclass(frozen=True)
class Checkable:
    """Share of the built-in generator's checkable prompts that a greedy answer gets right."""

    prompts: Sequence[BuiltinPrompt]
    what: str = "checkable prompts answered right"

    def score(self, model: Model) -> float:
        replies = _greedy(model, [p.messages for p in self.prompts])
        right = [bool(p.right(r)) for p, r in zip(self.prompts, replies, strict=True)]
        return sum(right) / len(right)


@dataclass(frozen=True)
class ExpectedWords:
    """Share of prompts whose greedy answer holds every expected word, case aside."""

    messages: Sequence[tuple[Message, ...]]
    expected: Sequence[tuple[str, ...]]
    what: str = "prompts answered with the expected words"

    @classmethod
    def read(cls, file: Path, limit: int) -> ExpectedWords:
        """From JSON lines; ValueError names the file and line of what cannot be used."""
        messages, expected = [], []
        for number, line in enumerate(file.read_text().splitlines(), 1):
            try:
                row = json.loads(line)
                messages.append(tuple(Message(m["role"], m["content"]) for m in row["messages"]))
                expected.append(tuple(word.casefold() for word in row["expect"]))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{file}, line {number}: {error!r}") from error
        if not messages:
            raise ValueError(f"{file} holds no prompt")
        return cls(messages[:limit], expected[:limit])

    def score(self, model: Model) -> float:
        replies = [r.casefold() for r in _greedy(model, self.messages)]
        held = [all(w in r for w in ws) for ws, r in zip(self.expected, replies, strict=True)]
        return sum(held) / len(held)


@dataclass(frozen=True)
class OwnAnswers:
    """How likely a version finds another's greedy answers: the geometric mean token probability."""

    answers: Sequence[Group]
    what: str

    @classmethod
    def of(cls, reference: Model, prompts: Sequence[Prompt], id: str) -> OwnAnswers:
        replies = roll_out(reference, prompts, Sampling(0.0, LONGEST_ANSWER, 0))
        pairs = zip(prompts, replies, strict=True)
        answers = [Group(p, (group[0].tokens,)) for p, group in pairs]
        return cls(answers, f"likelihood of {id}'s greedy answers")

    @torch.no_grad()
    def score(self, model: Model) -> float:
        total, count = 0.0, 0
        for start in range(0, len(self.answers), 32):
            batch = collate(self.answers[start : start + 32], model.net.device)
            logps_N = reply_logps_N(model.net, batch, batch.targets_N)
            total, count = total + logps_N.sum().item(), count + len(logps_N)
        return math.exp(total / count)


class Baseline:
    """Scores of what versions are held near, kept from round to round: a version does not change,
    nor do sets that are equal.
    """

    def __init__(self) -> None:
        self._known: deque[tuple[str, Regression, float]] = deque(maxlen=4)

    def score(self, regression: Regression, base: Model, id: str) -> float:
        """The score on this set of the version with this id, which is `base`."""
        known = ranks.first(lambda: self._found(regression, id))
        if known is not None:
            return known
        self._known.append((id, regression, regression.score(base)))
        return self._known[-1][2]

    def _found(self, regression: Regression, id: str) -> float | None:
        pairs = (score for *of, score in self._known if of == [id, regression])
        return next(pairs, None)


def checkable(seed: int, count: int, split: str) -> Checkable:
    """So many checkable prompts of the built-in generator."""
    return Checkable(builtin.prompts(seed, count, split=split, checkable=True))


def _greedy(model: Model, conversations: Sequence[Sequence[Message]]) -> list[str]:
    prompts = [tuple(model.chat.encode(messages)) for messages in conversations]
    replies = roll_out(model, prompts, Sampling(0.0, LONGEST_ANSWER, 0))
    return [model.chat.decode(group[0].tokens) for group in replies]
