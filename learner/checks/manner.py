"""What can be read off replies without a judge. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from policy.chat import Chat
from policy.engine import Completion

RUN = 4
"""Tokens of a run that may be repeated."""


@dataclass(frozen=True)
class Manner:
    """Of replies drawn at temperature 1: mean entropy of a token in nats, mean length in tokens,
    shares of replies that do not end and that refuse, mean share of runs said before, and the
    share of each token among all.
    """

    entropy: float
    length: float
    unfinished: float
    repetition: float
    refusals: float
    tokens: Mapping[int, float]

    @classmethod
    def of(cls, replies: Sequence[Completion], chat: Chat, phrases: Sequence[str]) -> Manner:
        count = Counter(token for reply in replies for token in reply.tokens)
        total = count.total()
        return cls(
            # Of tokens drawn from a distribution the mean surprise is its entropy.
            entropy=-sum(math.fsum(reply.raw_logps) for reply in replies) / total,
            length=total / len(replies),
            unfinished=fmean(reply.finish == "length" for reply in replies),
            repetition=fmean(repeated(reply.tokens) for reply in replies),
            refusals=fmean(refuses(chat.decode(reply.tokens), phrases) for reply in replies),
            tokens={token: number / total for token, number in count.items()},
        )

    def moved(self, other: Manner) -> float:
        """Total variation distance of the tokens said, 0 to 1."""
        said = self.tokens.keys() | other.tokens.keys()
        return sum(abs(self.tokens.get(t, 0.0) - other.tokens.get(t, 0.0)) for t in said) / 2


def repeated(tokens: Sequence[int]) -> float:
    """The share of a reply's runs of four tokens that it has said before."""
    runs = [tuple(tokens[i : i + RUN]) for i in range(len(tokens) - RUN + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def refuses(text: str, phrases: Sequence[str]) -> bool:
    """Whether the reply says one of these phrases, case aside."""
    plain = text.casefold().replace("\u2019", "'")
    return any(phrase in plain for phrase in phrases)
