"""Supervised fine-tuning: a policy learns answers that it should have given.

1. Only an assistant's tokens count, each of a step's as much as any other: the sum over a step is
   divided by its number of them, however it is cut into rows.
2. Replies of the policy's own to other prompts are mixed in. They cost nothing where it has not
   moved, and pull it back where it has: without them ten demonstrations are all that it knows
   (rehearsal with samples of one's own; Scialom et al. 2022, 2205.12393).
3. The pass with the lowest loss on conversations that it does not learn from is kept, which may be
   none: InstructGPT's overfitted after one (Ouyang et al. 2022, 2203.02155, 3.5).

Axes: N learned tokens.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from learner import ranks
from learner.batching import Batch
from learner.demonstration import Demonstration
from learner.optimise import Gradients, GradientSum, Optimiser, rate_of
from learner.packing import Packed, Row, packed, rows_of
from learner.parallel import at_once, halved
from learner.reward import Report
from learner.settings import SFTSettings
from learner.vocabulary import reply_logps_N
from learner.weights import copied, put_back

ROW = 512
"""Tokens of a row, or one longer conversation: attention's cost rises with a row's square."""

LEAST_STEPS = 4
"""Optimiser steps in a pass, where there are so many conversations: ten in one step is one step."""

RATE = 1e-4
"""Peak rate of a small model. Nine demonstrations took the built-in one from .86 of the checkable
prompts answered right to .69 at 3e-4, .80 at 2e-4 and .85 at 1e-4, while the held-out loss fell
from 7.6 to 1.7, 2.1 and 3.1: what is asked for is to be learned, and the rest to be kept.
"""

Step = list[Demonstration]


def supervised_loss(net: PreTrainedModel, batch: Batch | Packed) -> Tensor:
    """Mean negative log-likelihood of the batch's learned tokens, in nats per token."""
    return -reply_logps_N(net, batch, batch.targets_N).mean()


@dataclass(frozen=True)
class Tuned:
    """The pass whose weights were kept (0 is none) and the held-out loss before and after each, in
    nats per learned token.
    """

    kept: int
    losses: tuple[float, ...]

    @property
    def text(self) -> str:
        losses = ", ".join(f"{loss:.3f}" for loss in self.losses)
        return f"Pass {self.kept} of {len(self.losses) - 1} kept; the held-out loss went {losses}."


@dataclass(frozen=True)
class Lessons:
    """What is learned from, what decides when to stop, and the policy's own replies beside."""

    shown: Sequence[Demonstration]
    held_out: Sequence[Demonstration]
    own: Sequence[Demonstration] = ()


def fine_tune(
    net: PreTrainedModel, lessons: Lessons, settings: SFTSettings, seed: int, report: Report
) -> Tuned:
    """Fit the net in place and leave the best pass's weights in it; `report(step, steps, metrics)`
    after each step.
    """
    assert lessons.shown, "there is something to learn"
    assert lessons.held_out, "there is something to stop by"
    rng = random.Random(seed)
    passes = [list(steps_of(lessons, settings, rng)) for _ in range(settings.epochs)]
    steps, taken = sum(map(len, passes)), 0
    rate = rate_of(net, settings.learning_rate, small=RATE)
    optimiser = Optimiser(net, rate, steps=steps, gradient_clip=1.0)
    losses, kept, best = [held_out_loss(net, lessons.held_out)], 0, copied(net)
    for number, one_pass in enumerate(passes, 1):
        for step in one_pass:
            metrics = _learn(net, optimiser, step)
            taken += 1
            if step is one_pass[-1]:
                losses.append(held_out_loss(net, lessons.held_out))
                metrics["held_out_loss"] = losses[-1]
            report(taken, steps, metrics)
        if losses[-1] < losses[kept]:
            kept, best = number, copied(net)
        elif number - kept >= settings.patience:
            break
    put_back(net, best)
    return Tuned(kept, tuple(losses))


def steps_of(lessons: Lessons, settings: SFTSettings, rng: random.Random) -> Iterator[Step]:
    """One pass: all that is shown and some own replies, shuffled, in steps of like size."""
    chosen = [*lessons.shown, *own_share(lessons, settings.own_samples, rng)]
    rng.shuffle(chosen)
    size = min(settings.tokens_per_step, -(-sum(map(len, chosen)) // LEAST_STEPS))
    step: Step = []
    for one in chosen:
        step.append(one)
        if sum(map(len, step)) >= size:
            yield step
            step = []
    if step:
        yield step


def own_share(lessons: Lessons, share: float, rng: random.Random) -> Iterator[Demonstration]:
    """Own replies, in random order, until they are this share of all learned tokens; again from
    the first where there are few.
    """
    wanted = share / (1 - share) * sum(one.answered for one in lessons.shown)
    order = rng.sample(lessons.own, len(lessons.own))
    while order and wanted > 0:
        for one in order:
            if wanted <= 0:
                break
            wanted -= one.answered
            yield one


@torch.no_grad()
def held_out_loss(net: PreTrainedModel, given: Sequence[Demonstration]) -> float:
    """Mean negative log-likelihood of the learned tokens, in nats per token."""
    total = 0.0
    for row in rows_of(given, ROW):
        batch = packed([row], net.device)
        total += supervised_loss(net, batch).item() * len(batch.targets_N)
    return total / sum(one.answered for one in given)


def _learn(net: PreTrainedModel, optimiser: Optimiser, step: Step) -> dict[str, float]:
    """One optimiser step: in two halves at once where there are two rows, and shared out."""
    count = sum(one.answered for one in step)

    def differentiated(rows: Sequence[Row]) -> tuple[Gradients, float]:
        total, whole = GradientSum(optimiser), 0.0
        for own, counts in ranks.evenly(rows, ranks.in_one):
            batch = packed(own, net.device)
            loss = supervised_loss(net, batch) * len(batch.targets_N) / count * float(counts)
            total.add(loss)
            whole += loss.item()
        return total.take(), whole

    found = at_once(differentiated, halved(rows_of(step, ROW)))
    loss = ranks.total(sum(loss for _, loss in found))
    norm = optimiser.follow([gradients for gradients, _ in found], loss)
    return {"loss": loss, "gradient_norm": norm}
