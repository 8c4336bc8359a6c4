"""How far a version's replies lie from what another model would say, in nats."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from feedback.records import Reason
from learner import ranks
from learner.batching import Group, collate, passes
from learner.checks.case import Case
from learner.parallel import at_once, halved
from learner.vocabulary import reply_logps_N
from policy.engine import Completion
from policy.model import Model


def closeness(
    replies: Sequence[Completion], case: Case, limit: float, live_limit: float
) -> tuple[Reason, Reason]:
    """From the reference and from the live version. A fine-tuned version has no limit: it is meant
    to say what the base would not, and the loss on what it was not taught has shown that it does.
    """
    from_base = mean_gap(replies, case.base)
    same = case.live_id == case.base_id
    from_live = from_base if same else mean_gap(replies, case.live)
    bounds = (limit, live_limit) if case.judge is not None else (None, None)
    return (
        _reason("kl", from_base, case.base_id, bounds[0]),
        _reason("kl_live", from_live, f"{case.live_id}, which is live", bounds[1]),
    )


def _reason(check: str, kl: float, whom: str, limit: float | None) -> Reason:
    text = f"{kl:.2f} nats per reply from {whom}; "
    text += "fine-tuning has no limit." if limit is None else f"the limit is {limit:.2f}."
    return Reason(check, limit is None or kl <= limit, kl, limit, text)


def mean_gap(replies: Sequence[Completion], other: Model) -> float:
    """Mean over replies of the summed log-ratio to the other model."""
    ours = sum(sum(reply.raw_logps) for reply in replies)
    theirs = sum(sum(logps) for logps in rescored(replies, other))
    return (ours - theirs) / len(replies)


def rescored(replies: Sequence[Completion], model: Model) -> list[list[float]]:
    """Log-probabilities of each reply's tokens by plain forward passes over rows of like length."""
    return ranks.shared_out(lambda own: _rescored(own, model), replies)


def _rescored(replies: Sequence[Completion], model: Model) -> list[list[float]]:
    groups = [Group(reply.prompt, (reply.tokens,)) for reply in replies]
    found: list[list[float]] = [[]] * len(groups)

    @torch.no_grad()
    def fill(runs: Sequence[list[int]]) -> None:
        for run in runs:
            batch = collate([groups[i] for i in run], model.net.device)
            logps_N = reply_logps_N(model.net, batch, batch.targets_N).float()
            parts = torch.split(logps_N, [len(replies[i].tokens) for i in run])
            for i, part in zip(run, parts, strict=True):
                found[i] = part.tolist()

    at_once(fill, halved(passes([len(group) for group in groups], model.net.device)))
    return found
