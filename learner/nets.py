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

from learner.classifier import classifier
from learner.lineage import WrongWeights, refusal
from learner.reward import RewardModel
from learner.settings import LearnerSettings
from policy import adapters
from policy.model import Model
from policy.versions import Versions

Start = Callable[[int], RewardModel]
"""A fresh reward model by its seed."""


class Nets:
    """Loads and makes a round's nets on `device`."""

    def __init__(self, versions: Versions, settings: LearnerSettings, device: str) -> None:
        self.versions = versions
        self.settings = settings
        self.device = device

    @cached_property
    def base(self) -> Model:
        """v0."""
        base = self.versions.load("v0", device=self.device)
        if self.lora:
            base.net.requires_grad_(False)
        return base

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
        if id == "v0":
            return self.base
        return self.versions.load(id, device=self.device, base=self.base if self.lora else None)

    def policy(self, id: str, seed: int) -> Model:
        """A version to train. Raises UnknownVersion, CorruptVersion, WrongWeights."""
        refused = refusal(self.versions, id, self.settings)
        if refused:
            raise WrongWeights(refused)
        if not self.lora:
            return self.versions.load(id, device=self.device)
        if id != "v0":
            return self.version(id)
        net, s = adapters.share(self.base.net), self.settings.lora
        adapters.attach(net, rank=s.rank, alpha=s.alpha, seed=seed, base=self._base_name)
        return replace(self.base, net=net)

    def reward(self, reference: str, seed: int) -> RewardModel:
        """A fresh one, on the trunk of the version that is the reference, or over the base."""
        s = self.settings.reward
        criteria = {name: s.criteria[name] for name in s.weighed_criteria}
        if not self.lora:
            folder = self.versions.folder(reference)
            return RewardModel.start(folder, seed, s.heads, criteria).to(self.device)
        net = classifier(self.base.net, self.settings.lora, seed, self._base_name)
        return RewardModel.begin(net, seed, s.heads, criteria).to(self.device)

    @property
    def _base_name(self) -> str:
        return self.versions.read("v0").base
