"""The nets of a round by what is trained: all weights of copies, or adapters over one base.

With `learner.weights` "full" policy, reference and reward models are nets of their own. With "lora"
the base is v0, its tensors frozen, and every other net is a copy of its modules on the same tensors
with an adapter: memory holds one base. The reference is then the base itself, or what was
fine-tuned over it, and reward models begin on the base.

A version of the other kind is no start: a full one is no base, since every adapter lies over v0,
and what an adapter adds is not full weights' to go on from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import torch

from learner import blocks, ranks
from learner.checkpointing import make_again
from learner.classifier import classifier
from learner.lineage import WrongWeights, refusal
from learner.memory import planned
from learner.parallel import use_threads
from learner.ranks import sharding
from learner.reward_model import RewardModel
from learner.settings import LearnerSettings
from learner.shape import Shape
from policy import adapters
from policy.model import Model
from policy.versions import Versions

Start = Callable[[int], RewardModel]
"""A fresh reward model by its seed."""


class Nets:
    """Loads and makes a round's nets on `device`; `needs` is the memory that the round may take."""

    def __init__(self, versions: Versions, settings: LearnerSettings, device: str) -> None:
        self.versions = versions
        self.settings = settings
        self.device = device
        shape = Shape.read(versions.folder("v0"))
        self.needs = ranks.first(lambda: planned(shape, settings))
        if shape.large:
            blocks.give_back()
        if shape.large and device == "cpu":
            use_threads(settings.cpu_threads, halves=1)

    @cached_property
    def base(self) -> Model:
        """v0, frozen where adapters lie over it."""
        return self.versions.load("v0", device=self.device, dtype=self.dtype, frozen=self.lora)

    @property
    def dtype(self) -> torch.dtype:
        """Of what is loaded: full weights are trained, and their steps are too small for less than
        float32."""
        chosen = self.settings.dtype
        on_gpu = chosen == "auto" and not self.device.startswith("cpu")
        half = self.lora and (chosen == "bfloat16" or on_gpu)
        return torch.bfloat16 if half else torch.float32

    @property
    def lora(self) -> bool:
        """Whether adapters are trained."""
        return self.settings.weights == "lora"

    @property
    def kind(self) -> str:
        """Of the versions that a round publishes."""
        return "adapter" if self.lora else "full"

    def version(self, id: str) -> Model:
        """A published version; an adapter shares the base's tensors. Raises UnknownVersion,
        CorruptVersion."""
        return self.base if id == "v0" else self._load(id)

    def policy(self, id: str, seed: int) -> Model:
        """A version to train. Raises UnknownVersion, CorruptVersion, WrongWeights."""
        refused = refusal(self.versions, id, self.settings)
        if refused:
            raise WrongWeights(refused)
        model = self._fresh_adapter(seed) if self.lora and id == "v0" else self._load(id)
        if self.needs.again:
            make_again(model.net)
        sharding.share(model.net)
        return model

    def reward(self, reference: str, seed: int) -> RewardModel:
        """A fresh one, on the trunk of the version that is the reference, or over the base."""
        s = self.settings.reward
        criteria = {name: s.criteria[name] for name in s.weighed_criteria}
        if self.lora:
            net = classifier(self.base.net, self.settings.lora, seed, self._base_name)
            model = RewardModel.begin(net, seed, s.heads, criteria)
        else:
            model = RewardModel.start(self.versions.folder(reference), seed, s.heads, criteria)
        if self.needs.again:
            make_again(model.net)
        model.to(self.device)
        sharding.share(model.net)
        return model

    def served(self, id: str) -> Model:
        """A version as the server has it."""
        base = self.base if self.lora else None
        return self.versions.load(id, device=self.device, base=base)

    def _load(self, id: str) -> Model:
        base = self.base if self.lora else None
        return self.versions.load(id, device=self.device, dtype=self.dtype, base=base)

    def _fresh_adapter(self, seed: int) -> Model:
        net, s = adapters.share(self.base.net), self.settings.lora
        adapters.attach(net, rank=s.rank, alpha=s.alpha, seed=seed, base=self._base_name)
        return replace(self.base, net=net)

    @property
    def _base_name(self) -> str:
        return self.versions.read("v0").base
