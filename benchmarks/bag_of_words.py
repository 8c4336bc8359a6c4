"""What a judge that reads no order of words would say: logistic regression on which words stand in
a reply and in the turn that it answers. The bar for a reward model.

Axes: N judgements, W words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from benchmarks.real_data import Judgement

L2 = 1e-3
"""Weight of half the squared coefficients, beside the mean loss of a judgement."""


class BagOfWords:
    """Trained by `fit`; `scores` are log-odds of being good."""

    def __init__(self, judgements: Sequence[Judgement]) -> None:
        words = sorted({word for one in judgements for word in _words(one)})
        self.places = {word: place for place, word in enumerate(words)}
        self.weights_W = torch.zeros(len(words), requires_grad=True)
        self.bias = torch.zeros((), requires_grad=True)

    @classmethod
    def fit(cls, judgements: Sequence[Judgement]) -> BagOfWords:
        """The regularised maximum of the likelihood."""
        bag = cls(judgements)
        present_NW = bag._present(judgements)
        good_N = torch.tensor([float(one.good) for one in judgements])
        solver = torch.optim.LBFGS(
            [bag.weights_W, bag.bias], max_iter=200, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            solver.zero_grad()
            odds_N = present_NW @ bag.weights_W + bag.bias
            nll = torch.nn.functional.binary_cross_entropy_with_logits(odds_N, good_N)
            total = nll + L2 / 2 * bag.weights_W.square().sum()
            total.backward()  # type: ignore[no-untyped-call]
            return total

        solver.step(loss)  # type: ignore[no-untyped-call]
        return bag

    @torch.no_grad()
    def scores(self, judgements: Sequence[Judgement]) -> list[float]:
        """One for each; words that training did not hold say nothing."""
        found: list[float] = (self._present(judgements) @ self.weights_W + self.bias).tolist()
        return found

    def _present(self, judgements: Sequence[Judgement]) -> Tensor:
        present_NW = torch.zeros(len(judgements), len(self.places))
        for row, one in enumerate(judgements):
            known = [self.places[word] for word in _words(one) if word in self.places]
            present_NW[row, known] = 1.0
        return present_NW


def _words(one: Judgement) -> Iterator[tuple[str, str]]:
    """The words of the reply and those of the asked turn, told apart."""
    for place, text in (("reply", one.reply), ("asked", one.asked)):
        for word in set(re.findall(r"\w+", text.lower())):
            yield place, word
