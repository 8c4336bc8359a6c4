"""What a round stands on, whatever it learns from: its claim, the versions that it starts from and
is held near, its prompts, and the gate at its end.

Every write goes through the round's claim, so a learner that lost its lease can change nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from feedback.preferences import MarkedPrompt, RankedPrompt
from feedback.records import Claim, Live, LoggedPrompt, Reason
from feedback.store import Store
from learner.device import take_device
from learner.encoding import Encoder
from learner.gate import Case, Decision, decide
from learner.judges import Judges
from learner.lineage import reference_of
from learner.material import BuiltinMaterial, LoggedMaterial, Material
from learner.nets import Nets
from learner.plan import plan_of
from learner.progress import Progress
from learner.publishing import Publisher
from learner.regression import Baseline, ExpectedWords, OwnAnswers, Regression, checkable
from learner.settings import LearnerSettings
from learner.sieve import Sieve
from policy.model import Model
from policy.versions import Versions

log = logging.getLogger("rankloop.learner")

WATCH_PROMPTS = 2
"""Times the gate's, where there are more: a fall of 3 in 100 is to be told from chance."""

GATE_SEED, WATCH_SEED = 7, 8
"""Of the built-in model's two regression sets."""

LOGGED_PROMPTS = 1024
"""Of the last that people asked, to draw rollouts from."""


@dataclass(frozen=True)
class Result:
    """How a round ends."""

    outcome: str
    reasons: tuple[Reason, ...]
    version_id: str | None = None
    reward_id: str | None = None
    reward: dict[str, Any] | None = None

    def decided(self, id: str, decision: Decision) -> Result:
        """With the gate's word on the version."""
        outcome = "promoted" if decision.passed else "rejected"
        reasons = (*self.reasons, *decision.reasons)
        return replace(self, outcome=outcome, reasons=reasons, version_id=id)


@dataclass(frozen=True)
class Named:
    """A model and the version that it is."""

    id: str
    model: Model


class Ground:
    """`open` and `gather` bring it together; `folder` is where running rounds save their state.
    `notes` go before the reasons that the round ends with.
    """

    def __init__(
        self,
        store: Store,
        versions: Versions,
        model: str,
        settings: LearnerSettings,
        claim: Claim,
        baseline: Baseline,
        folder: Path,
    ) -> None:
        self.store = store
        self.versions = versions
        self.model = model
        self.claim = claim
        self.baseline = baseline
        self.folder = folder
        self.progress = Progress(store, claim)
        self.publisher = Publisher(store, versions, claim)
        self.encoder = Encoder(versions.folder("v0"))
        self.notes: list[Reason] = []
        self.plan = plan_of(store, versions, settings, claim.round_id)
        self.settings, self.seed = self.plan.settings, self.plan.seed
        self.sieve = Sieve(store, claim, allowed=self.settings.personal_data)

    def clear_leftovers(self) -> None:
        """Remove folders that an interrupted round published and did not live to register."""
        known = {v.id for v in (*self.store.versions(), *self.store.versions(reward=True))}
        for id in set(self.versions.ids()) - known:
            self.versions.remove(id)

    def open(self) -> None:
        """The versions that it is about."""
        self.nets = Nets(self.versions, self.settings, take_device(self.settings))
        log.info("round %d needs %s", self.claim.round_id, self.nets.needs.text)
        self.live: Live = self.store.live()
        reference = self.plan.reference or reference_of(self.store, self.live.version)
        self.reference = Named(reference, self.nets.version(reference))
        if self.settings.tensorboard is not None:
            self.progress.show_in(self.settings.tensorboard / f"round-{self.claim.round_id}")

    def prompts(self) -> Sequence[LoggedPrompt]:
        """What people asked, written down: the same for whoever goes on with the round."""
        asked = self.store.use_prompts(self.claim, LOGGED_PROMPTS)
        return self.encoder.prompts(self.sieve.prompts(asked))

    def readable(
        self, rankings: Sequence[RankedPrompt], marked: Sequence[MarkedPrompt]
    ) -> tuple[list[RankedPrompt], list[MarkedPrompt]]:
        """What the model can read of these, with a note where that is not all."""
        found = self.encoder.answered(rankings), self.encoder.answered(marked)
        unread = len(rankings) + len(marked) - len(found[0]) - len(found[1])
        if unread:
            text = (
                f"{unread} imported rankings or marks were left out: the chat template does not "
                "render them, or they are longer than the context."
            )
            self.notes.append(Reason("unreadable", True, float(unread), None, text))
        return found

    def gather(self, logged: Sequence[LoggedPrompt], spare: Sequence[LoggedPrompt] = ()) -> None:
        """Prompts, and the reference's replies to some; the spare ones stand in where nobody has
        asked what one could be judged on.
        """
        self.progress.stage("reference samples")
        if all(prompt.split == "train" for prompt in logged):
            logged = [*logged, *spare]
        of = BuiltinMaterial if self.model == "builtin" else LoggedMaterial
        self.material: Material = of(self.reference.model, logged, self.seed)

    def regression(self, seed: int, base: Named) -> tuple[Regression, float]:
        """A regression set and the base's score on it; the gate has other prompts than PPO's own
        watch, where there are more.
        """
        gate = self.settings.gate
        regression: Regression
        if self.model == "builtin":
            times = 1 if seed == GATE_SEED else WATCH_PROMPTS
            regression = checkable(seed, times * gate.regression_prompts, "held_out")
        elif gate.regression_file is not None:
            regression = ExpectedWords.read(gate.regression_file, gate.regression_prompts)
        else:
            of_gate = seed == GATE_SEED
            prompts = self.material.held_out(64) if of_gate else self.material.draw(64)
            regression = OwnAnswers.of(base.model, prompts, base.id)
        return regression, self.baseline.score(regression, base.model, base.id)

    def publish(
        self,
        start: str,
        policy: Model,
        reward_id: str | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> str:
        """A policy that went on from `start` as a version folder and a row with these figures."""
        self.progress.stage("publish")
        return self.publisher.publish(
            self.nets.kind,
            policy,
            parent=start,
            settings=self.settings.model_dump(mode="json"),
            figures=figures,
            reward_id=reward_id,
        )

    def decide(
        self, id: str, base: Named, judges: Judges | None, regression: Regression, score: float
    ) -> Decision:
        """The gate's checks, on the published folder; `score` is the base's on the regression."""
        self.progress.stage("gate", 6)
        case = Case(
            versions=self.versions,
            version=id,
            live=self.nets.served(self.live.version),
            base=base.model,
            base_id=base.id,
            judge=judges.judge if judges else None,
            judge_scale=judges.judge_scale if judges else 1.0,
            regression=regression,
            base_regression=score,
            held_out=self.material.held_out(self.settings.gate.win_prompts),
            max_tokens=self.settings.ppo.max_tokens,
            seed=self.seed,
        )
        return decide(case, self.settings.gate, self.progress.step)
