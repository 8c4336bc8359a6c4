"""A text classifier that is taught good and bad: a reward model on another trunk than the policy's.

1. It reads the user's last message and the reply as text, with its own tokenizer, as an outside
   scorer does; but its head and trunk learn, by the binary loss, from rankings and thumbs.
2. Its normalised log-odds are the reward's ranking part. The reward model on the policy's trunk is
   trained all the same: it lends the critic its states and its head, and examines.

Dropout is off. It lies in the reward's folder one folder down, whole: a Hugging Face model.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from learner.accuracy import Accuracy, across_prompts, judged_pairs, measure
from learner.losses import binary_loss
from learner.optimise import Optimiser
from learner.ranked_group import RankedGroup
from learner.reader import Exchange
from learner.reward import Report, schedule
from learner.reward_settings import RewardSettings, ScorerSettings, UnusableScorer
from learner.scorers import Scorer
from learner.settings import learning_rate_for
from policy.source import ModelNotFound, resolve

FOLDER = "text"


@dataclass(frozen=True)
class Taught:
    """What was said of one prompt's answers, as a text model reads them."""

    group: RankedGroup
    exchanges: Sequence[Exchange]


def start(trunk: str, seed: int, device: torch.device | str = "cpu") -> Scorer:
    """The classifier in a folder or on the hub, with a head of one output; raises
    UnusableScorer.
    """
    settings = ScorerSettings(name="ranking", model=trunk, label=0, sees="pair")
    try:
        folder = resolve(trunk)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            net = AutoModelForSequenceClassification.from_pretrained(
                folder,
                num_labels=1,
                ignore_mismatched_sizes=True,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
            )
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (ModelNotFound, OSError, ValueError) as error:
        raise UnusableScorer("learner.reward.trunk", str(error)) from error
    return Scorer(settings, net.to(device).eval(), tokenizer)


def teach(
    model: Scorer, taught: Sequence[Taught], settings: RewardSettings, seed: int, report: Report
) -> None:
    """Fit it to what was said to be good and bad; `report(step, steps, metrics)` after each step.

    Rankings whose answers are all tied say neither.
    """
    told = [t for t in taught if t.group.good is not None]
    epochs, size = schedule(max(1, len(told)), settings)
    steps = epochs * -(-len(told) // size)
    rate = settings.learning_rate or learning_rate_for(model.net.num_parameters(), small=1e-3)
    optimiser = Optimiser(model.net, rate, steps=steps, gradient_clip=1.0)
    rng = random.Random(seed)
    for epoch in range(epochs):
        rng.shuffle(told)
        for number, first in enumerate(range(0, len(told), size), 1):
            chosen = told[first : first + size]
            logits_R = model.logits([e for t in chosen for e in t.exchanges])[:, 0]
            loss = binary_loss(logits_R, [g for t in chosen for g in t.group.good or ()])
            norm = optimiser.step(loss)
            step = epoch * (steps // epochs) + number
            report(step, steps, {"text_loss": loss.item(), "text_gradient_norm": norm})


def examine(model: Scorer, unseen: Sequence[Taught]) -> Accuracy:
    """How well it tells better from worse in conversations that it has not seen."""
    exam = [(t.group, model.log_odds(t.exchanges).tolist()) for t in unseen if t.group.ranks]
    pairs = [pair for group, scores in exam for pair in judged_pairs(group, scores)]
    return measure(pairs + across_prompts(exam))


def save(model: Scorer, folder: Path) -> None:
    """Write the classifier with its tokenizer; its normalisation is kept in its config."""
    model.net.config.reward_mean, model.net.config.reward_std = model.mean, model.std
    model.net.save_pretrained(folder / FOLDER)
    model.tokenizer.save_pretrained(folder / FOLDER)


def load(folder: Path, device: torch.device | str) -> Scorer | None:
    """Read what `save` wrote; None where there is none."""
    if not (folder / FOLDER / "config.json").is_file():
        return None
    model = Scorer.load(
        ScorerSettings(name="ranking", model=str(folder / FOLDER), label=0, sees="pair"), device
    )
    config = model.net.config
    model.mean, model.std = config.reward_mean, config.reward_std
    return model
