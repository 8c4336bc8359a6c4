"""A sequence classifier on a shared trunk: what a reward model is, where weights are adapters."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from learner.settings import LoraSettings
from policy import adapters

HEAD = "score"
"""What transformers calls the head of every decoder that classifies."""


def classifier(
    base: PreTrainedModel, settings: LoraSettings, seed: int, base_name: str
) -> PreTrainedModel:
    """A fresh adapter on the trunk of `base` and a head of one output, both to be trained; the
    trunk's tensors are the base's own. The head is on the CPU, where it is drawn from a seed."""
    net = _on_trunk(base, base.config)
    adapters.attach(
        net, rank=settings.rank, alpha=settings.alpha, seed=seed, base=base_name, head=HEAD
    )
    return net


def load_classifier(folder: Path, base: PreTrainedModel) -> PreTrainedModel:
    """What `save_classifier` wrote, on the trunk of `base`."""
    net = _on_trunk(base, AutoConfig.from_pretrained(folder, local_files_only=True))
    adapters.load(net, folder)
    net.get_submodule(HEAD).to(base.device)
    return net


def save_classifier(net: PreTrainedModel, folder: Path) -> None:
    """The adapter and the head in peft's files, and the config beside."""
    adapters.save(net, folder)
    net.config.save_pretrained(folder)


def _on_trunk(base: PreTrainedModel, config: object) -> PreTrainedModel:
    config = copy.deepcopy(config)
    config.num_labels = 1  # type: ignore[attr-defined]
    with torch.device("meta"):
        net: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    setattr(net, net.base_model_prefix, adapters.share(base.base_model))
    width: int = base.config.hidden_size
    net.add_module(HEAD, nn.Linear(width, 1, bias=False))
    return net.eval()  # type: ignore[no-untyped-call,no-any-return]
