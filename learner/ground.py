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
from learner import ranks
from learner.checks.lists import Lists
from learner.checks.suspects import suspects
from learner.device import take_device
from learner.encoding import Encoder
from learner.gate import CHECKS, Case, Decision, decide
from learner.judges import Judges
from learner.leftovers import clear_versions
from learner.lineage import reference_of
from learner.material import LONGEST_PROMPT, BuiltinMaterial, LoggedMaterial, Material
from learner.nets import Nets
from learner.plan import plan_of
from learner.progress import Progress
from learner.publishing import Publisher
from learner.ranks import sharding
from learner.regression import Baseline, ExpectedWords, OwnAnswers, Regression, checkable
from learner.rollout import Draw, roll_out
from learner.set_prompts import SetPrompts
from learner.settings import LearnerSettings
from learner.shares import Shares
from learner.sieve import Sieve
from policy.model import Model
from policy.versions import Versions

log = logging.getLogger("rankloop.learner")

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
    `engines`: vLLM's, by address. `notes` go before the reasons that the round ends with.
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
        engines: Sequence[str] = (),
    ) -> None:
        self.store = store
        self.versions = versions
        self.model = model
        self.claim = claim
        self.baseline = baseline
        self.folder = folder
        self.engines = engines
        self.progress = Progress(store, claim)
        self.publisher = Publisher(store, versions, claim)
        self.encoder = Encoder(versions.folder("v0"))
        self.notes: list[Reason] = []
        self.plan = plan_of(store, versions, settings, claim.round_id)
        self.settings, self.seed = self.plan.settings, self.plan.seed
        self.sieve = Sieve(store, claim, allowed=self.settings.personal_data)
        self.shares = Shares(store, claim, self.settings.trust)

    def clear_leftovers(self) -> None:
        """Remove folders that an interrupted round published and did not live to register."""
        ranks.first(lambda: clear_versions(self.store, self.versions))

    def open(self) -> None:
        """The versions that it is about. Raises UnusableList: now, not after an hour's
        learning.
        """
        self.lists = Lists.read(self.settings.gate)
        self.nets = Nets(self.versions, self.settings, take_device(self.settings))
        log.info("round %d needs %s", self.claim.round_id, self.nets.needs.text)
        self.live: Live = self.store.live()
        reference = self.plan.reference or reference_of(self.store, self.live.version)
        self.reference = Named(reference, self.nets.version(reference))
        if self.settings.tensorboard is not None:
            self.progress.show_in(self.settings.tensorboard / f"round-{self.claim.round_id}")

    @property
    def draw(self) -> Draw:
        """What draws the policy's replies."""
        if self.settings.sampler == "embedded":
            return roll_out
        from learner.remote_rollout import OnEngines  # HTTP's client: nobody else waits for it

        written = self.folder.parent / "rollouts"
        limit = self.settings.ppo.sampler_gap
        engines = OnEngines(self.engines, self.versions.folder("v0"), written, limit)
        return lambda model, prompts, how: ranks.first(lambda: engines(model, prompts, how))

    def prompts(self) -> Sequence[LoggedPrompt]:
        """What people asked, written down: the same for whoever goes on with the round."""
        asked = self.store.use_prompts(self.claim, LOGGED_PROMPTS)
        return self.encoder.prompts(self.sieve.prompts(asked))

    def set_prompts(self) -> Sequence[LoggedPrompt]:
        """Those of the imported sets that PPO draws from, written down as well."""
        shares = self.settings.ppo.prompt_sets
        if not shares:
            return ()
        found = self.store.use_set_prompts(self.claim, shares, LOGGED_PROMPTS)
        read = self.encoder.prompts(self.sieve.prompts(found))
        return [prompt for prompt in read if len(prompt.prompt_ids) <= LONGEST_PROMPT]

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

    def gather(
        self,
        logged: Sequence[LoggedPrompt],
        spare: Sequence[LoggedPrompt] = (),
        of_sets: Sequence[LoggedPrompt] = (),
    ) -> None:
        """Prompts, and the reference's replies to some; the spare ones stand in where nobody has
        asked what one could be judged on.
        """
        self.progress.stage("reference samples")
        if all(prompt.split == "train" for prompt in logged):
            logged = [*logged, *spare]
        of = BuiltinMaterial if self.model == "builtin" else LoggedMaterial
        sets = SetPrompts.of(of_sets, self.settings.ppo.prompt_sets)
        empty = sets.note()
        if empty:
            self.notes.append(empty)
        self.material: Material = of(self.reference.model, logged, self.seed, sets)

    def regression(self, seed: int, base: Named) -> tuple[Regression, float]:
        """A regression set and the base's score on it; the gate has other prompts than PPO's own
        watch, where there are more.
        """
        gate = self.settings.gate
        regression: Regression
        if self.model == "builtin":
            regression = checkable(seed, gate.regression_prompts, "held_out")
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
        with sharding.gathered(policy.net) as net:
            return self.publisher.publish(
                self.nets.kind,
                replace(policy, net=net),
                parent=start,
                settings=self.settings.model_dump(mode="json"),
                figures=figures,
                reward_id=reward_id,
            )

    def suspects(self, newest: Sequence[str], others: Sequence[str]) -> list[str]:
        """Words of the newest feedback to try as triggers."""
        chat, samples = self.reference.model.chat, self.material.samples
        said = [chat.decode(reply) for group in samples for reply in group.replies]
        asked = [self.material.said.get(group.prompt, "") for group in samples]
        count = self.settings.gate.trigger_words
        return suspects(newest, [*others, *said, *asked], count, chat.pieces)

    def decide(
        self,
        id: str,
        base: Named,
        judges: Judges | None,
        regression: tuple[Regression, float],
        suspected: Sequence[str],
    ) -> Decision:
        """The gate's checks, on the published folder; the regression set comes with the base's
        score on it.
        """
        self.progress.stage("gate", CHECKS)
        case = Case(
            versions=self.versions,
            version=id,
            live=self.nets.served(self.live.version),
            live_id=self.live.version,
            base=base.model,
            base_id=base.id,
            judge=judges.judge if judges else None,
            judge_scale=judges.judge_scale if judges else 1.0,
            judge_accuracy=judges.judge_accuracy if judges else None,
            regression=regression[0],
            base_regression=regression[1],
            held_out=self.material.held_out(self.settings.gate.win_prompts),
            lists=self.lists,
            suspects=suspected,
            max_tokens=self.settings.ppo.max_tokens,
            seed=self.seed,
        )
        return decide(case, self.settings.gate, self.progress.step)
