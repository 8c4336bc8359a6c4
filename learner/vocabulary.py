"""What distributions over the vocabulary say of reply tokens, without all their logits at once.

The logits of a step's tokens are by far its largest tensors where a vocabulary is large: 2,048
tokens of 150,000 are 1.2 GB, and a KL keeps six such. Above a budget they are made of the hidden
states piece by piece, and made again for the gradient (Chen et al. 2016, 1604.06174): a pass of the
head more, for nothing kept but the states.

Axes: N reply tokens, D hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from learner.forward import Rows, hidden_MD
from learner.losses import entropy_of, full_kl_of, token_logps

BUDGET = 2**24
"""Logits at once, of one net; 64 MiB in float32. Up to so many nothing is made twice."""

PIECE = 2**21
"""Logits of a piece, where there are more: 8 MiB. Smaller ones make the head's gradient so often
that they are slower: 512 tokens of 49,152 words took 6.6 s whole, 8.9 s in pieces of 2^22, 9.5 s of
2^21 and 13.1 s of 2^20 (two busy cores)."""


@dataclass(frozen=True)
class Distributions:
    """The distributions that a batch's reply tokens were drawn from, as hidden states and the head
    that makes logits of them."""

    states_ND: Tensor
    head: nn.Module
    temperature: float

    @classmethod
    def of(cls, net: PreTrainedModel, batch: Rows, temperature: float = 1.0) -> Distributions:
        """One pass of the net's trunk."""
        return cls.over(net, hidden_MD(net, batch)[batch.predicts_N], temperature)

    @classmethod
    def over(cls, net: PreTrainedModel, states_ND: Tensor, temperature: float) -> Distributions:
        """Of states that the net's trunk gave."""
        head = net.get_output_embeddings()  # type: ignore[no-untyped-call]
        return cls(states_ND, head, temperature)

    @property
    def vocabulary(self) -> int:
        """V."""
        weight: Tensor = self.head.weight  # type: ignore[assignment]
        return len(weight)

    def logits_NV(self) -> Tensor:
        """All logits, tempered, in float32 at least."""
        logits_NV: Tensor = self.head(self.states_ND)
        wide_NV = logits_NV if logits_NV.dtype == torch.float64 else logits_NV.float()
        return wide_NV if self.temperature == 1.0 else wide_NV / self.temperature

    def logps_NV(self) -> Tensor:
        """All log-probabilities, from which the figures of a token are read off."""
        return self.logits_NV().log_softmax(-1)

    def pieces(self, size: int) -> list[Distributions]:
        """The same of so many tokens at a time, in order."""
        return [replace(self, states_ND=part) for part in torch.split(self.states_ND, size)]


@dataclass(frozen=True)
class Told:
    """Of each reply token: its log-probability, its distribution's entropy and, where there is a
    reference, the KL to that one's and its log-probability there, which have no gradient of
    their own."""

    logps_N: Tensor
    entropy_N: Tensor
    kl_N: Tensor | None = None
    ref_logps_N: Tensor | None = None


def told(
    policy: Distributions,
    targets_N: Tensor,
    reference: Distributions | None = None,
    entropy_gradient: bool = False,
) -> Told:
    """What policy and reference say of the tokens that were drawn, in nats."""

    def of(policy: Distributions, reference: Distributions | None, targets_N: Tensor) -> Columns:
        logps_NV = policy.logps_NV()
        beside: Columns = ()
        if reference is not None:
            with torch.no_grad():
                ref_logps_NV = reference.logps_NV()
            beside = full_kl_of(logps_NV, ref_logps_NV), _at(ref_logps_NV, targets_N)
        spread_N = entropy_of(logps_NV if entropy_gradient else logps_NV.detach())
        return _at(logps_NV, targets_N), spread_N, *beside

    return Told(*_by_pieces(of, policy, reference, targets_N))


def _at(logps_NV: Tensor, targets_N: Tensor) -> Tensor:
    return logps_NV.gather(1, targets_N[:, None]).squeeze(1)


def reply_logps_N(
    net: PreTrainedModel, batch: Rows, targets_N: Tensor, temperature: float = 1.0
) -> Tensor:
    """Log-probabilities of a batch's reply tokens."""

    def of(policy: Distributions, _: Distributions | None, targets_N: Tensor) -> Columns:
        return (token_logps(policy.logits_NV(), targets_N),)

    [logps_N] = _by_pieces(of, Distributions.of(net, batch, temperature), None, targets_N)
    return logps_N


Columns = tuple[Tensor, ...]
"""Figures of each token."""

Call = Callable[[Distributions, Distributions | None, Tensor], Columns]


def _by_pieces(
    call: Call, policy: Distributions, reference: Distributions | None, targets_N: Tensor
) -> Columns:
    """`call` of all tokens at once within the budget, else piece by piece."""
    if len(targets_N) * policy.vocabulary <= BUDGET:
        return call(policy, reference, targets_N)
    size = max(1, PIECE // policy.vocabulary)
    parts, targets = policy.pieces(size), torch.split(targets_N, size)
    beside = reference.pieces(size) if reference else [None] * len(parts)
    found = [_made_again(call, *part) for part in zip(parts, beside, targets, strict=True)]
    return tuple(torch.cat(column) for column in zip(*found, strict=True))


def _made_again(
    call: Call, policy: Distributions, reference: Distributions | None, targets_N: Tensor
) -> Columns:
    """`call`, keeping nothing for the gradient but the states: they are an argument, so that it
    finds them."""

    def of(states_ND: Tensor) -> Columns:
        return call(replace(policy, states_ND=states_ND), reference, targets_N)

    columns: Columns = checkpoint(
        of, policy.states_ND, use_reentrant=False, preserve_rng_state=False
    )
    return columns
