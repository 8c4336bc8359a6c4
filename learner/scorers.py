"""Outside scorers: Hugging Face text classifiers that are weighed into the reward.

1. A scorer says the log-odds of its label, not the probability: that is flat where the classifier
   is sure, and a reward that is flat teaches nothing; log-odds are what a reward model's score is,
   and go on telling good from better.
2. Scores are normalised as a reward model's are, to mean 0 and deviation 1 on the reference's
   replies, so that a weight means the same for every classifier.
3. It reads text, of whatever tokenizer: a reply, or the user's last message and the reply as the
   pair that such models are trained on. What is longer than the classifier reads is cut.

Weights come from safetensors only, and no code from the model's folder.

Axes: R replies, C the classifier's labels.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
)

from learner.reader import Exchange
from learner.reward_settings import ScorerSettings, UnusableScorer
from policy.source import ModelNotFound, resolve

FILE = Path("scorers") / "scorers.json"

AT_ONCE = 32
"""Replies in one forward pass."""

LEAST_DEVIATION = 1e-3
"""Log-odds. A classifier that says less of the reference's replies finds them all alike."""


class Scorer:
    """A classifier with the label that it is asked about, and the normalisation of its log-odds."""

    def __init__(self, settings: ScorerSettings, net: PreTrainedModel, tokenizer: Any) -> None:
        self.settings = settings
        self.net = net
        self.tokenizer = tokenizer
        self.label = label_of(settings, net.config)
        self.mean, self.std = 0.0, 1.0
        self._tokenizing = threading.Lock()  # padding is a switch on the tokenizer itself

    @classmethod
    def load(cls, settings: ScorerSettings, device: torch.device | str = "cpu") -> Scorer:
        """Raises UnusableScorer."""
        folder = checked(settings)
        try:
            loaded: Any = AutoModelForSequenceClassification.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise UnusableScorer(settings.setting, f"model {settings.model!r}: {error}") from error
        net, loading = loaded
        # transformers fills gaps with random weights and a warning.
        if gaps := [*loading["missing_keys"], *loading["mismatched_keys"]]:
            raise UnusableScorer(
                settings.setting,
                f"model {settings.model!r} lacks {len(gaps)} weights of a text classifier, "
                f"{sorted(gaps)[0]} among them: give one that was trained to classify",
            )
        return cls(settings, net.to(device).eval(), tokenizer)

    def logits(self, exchanges: Sequence[Exchange]) -> Tensor:
        """(R, C), in one forward pass."""
        logits_RC: Tensor = self.net(**self._encoded(exchanges)).logits
        return logits_RC

    @torch.no_grad()
    def log_odds(self, exchanges: Sequence[Exchange]) -> Tensor:
        """The label's log-odds (R,), as the classifier has them."""
        order = sorted(range(len(exchanges)), key=lambda i: sum(map(len, exchanges[i])))
        found_R = torch.empty(len(exchanges), device=self.net.device)
        for start in range(0, len(order), AT_ONCE):
            chosen = order[start : start + AT_ONCE]
            logits_RC = self.logits([exchanges[i] for i in chosen])
            odds_R = log_odds(logits_RC, self.label, self.net.config.problem_type)
            found_R[torch.tensor(chosen, device=found_R.device)] = odds_R
        return found_R

    def scores(self, exchanges: Sequence[Exchange]) -> Tensor:
        """Normalised log-odds (R,)."""
        return (self.log_odds(exchanges) - self.mean) / self.std

    def normalise_on(self, exchanges: Sequence[Exchange]) -> None:
        """Shift and scale so that the reference's replies score mean 0, deviation 1."""
        odds_R = self.log_odds(exchanges)
        self.mean = odds_R.mean().item()
        self.std = max(odds_R.std().item(), LEAST_DEVIATION)

    def _encoded(self, exchanges: Sequence[Exchange]) -> Any:
        asked, replies = map(list, zip(*exchanges, strict=True))
        texts = (replies,) if self.settings.sees == "reply" else (asked, replies)
        with self._tokenizing:
            encoded = self.tokenizer(
                *texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
            )
        return encoded.to(self.net.device)

    @property
    def _longest(self) -> int:
        """Tokens that the classifier reads: what its tokenizer says, else its positions, of which
        some models (RoBERTa) keep two.
        """
        positions = getattr(self.net.config, "max_position_embeddings", 514) - 2
        said = int(self.tokenizer.model_max_length)
        return said if said < 10**9 else positions


def log_odds(logits_RC: Tensor, label: int, problem: str | None) -> Tensor:
    """log p / (1 - p) of a label, (R,): under a softmax over the labels, or a sigmoid of each where
    the classifier has one output or may give several labels.
    """
    own_R = logits_RC[:, label]
    if logits_RC.shape[1] == 1 or problem == "multi_label_classification":
        return own_R
    others = [i for i in range(logits_RC.shape[1]) if i != label]
    return own_R - logits_RC[:, others].logsumexp(1)


def checked(settings: ScorerSettings) -> Path:
    """The classifier's folder, if its config knows the label; no weight is read. Raises
    UnusableScorer.
    """
    try:
        folder = resolve(settings.model)
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (ModelNotFound, OSError, ValueError) as error:
        raise UnusableScorer(settings.setting, str(error)) from error
    label_of(settings, config)
    return folder


def label_of(settings: ScorerSettings, config: PreTrainedConfig) -> int:
    """The label's place among the classifier's; raises UnusableScorer, which lists them."""
    names: dict[int, str] = {int(i): str(name) for i, name in (config.id2label or {}).items()}
    for place, name in names.items():
        if settings.label in (place, name):
            return place
    known = ", ".join(f"{place} {name!r}" for place, name in sorted(names.items()))
    raise UnusableScorer(
        settings.setting,
        f"model {settings.model!r} has no label {settings.label!r}: its labels are {known}",
    )


def save(scorers: Sequence[Scorer], folder: Path) -> None:
    """Write what the scorers were and how they are normalised; their weights stay where they are.
    One folder down, as other programs read what lies beside the net.
    """
    if not scorers:
        return
    rows = [{**s.settings.model_dump(), "mean": s.mean, "std": s.std} for s in scorers]
    (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(rows, indent=2) + "\n")


def load(folder: Path, device: torch.device | str) -> list[Scorer]:
    """Read what `save` wrote, none where it wrote nothing; raises UnusableScorer."""
    if not (folder / FILE).is_file():
        return []
    scorers = []
    for row in json.loads((folder / FILE).read_text()):
        mean, std = row.pop("mean"), row.pop("std")
        scorer = Scorer.load(ScorerSettings.model_validate(row), device)
        scorer.mean, scorer.std = mean, std
        scorers.append(scorer)
    return scorers
