"""One learning round: rankings to a reward model, that to a better policy, that to a version; or
demonstrations to a fine-tuned policy, and that to a version.

Every write goes through the round's claim, so a learner that lost its lease can change nothing. A
round that is interrupted is claimed again and starts over: what it had published without a decision
is not a version anybody serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from feedback.records import Claim, Live, LoggedPrompt, Reason
from feedback.store import Store
from learner.device import take_device
from learner.due import stages_of
from learner.gate import Case, Decision, decide
from learner.improve import Improvement, improve
from learner.judges import Judges, train_judges
from learner.lineage import reference_of, start_of
from learner.material import BuiltinMaterial, LoggedMaterial, Material
from learner.ppo import PPO
from learner.progress import Progress
from learner.publishing import Publisher
from learner.regression import Baseline, ExpectedWords, OwnAnswers, Regression, checkable
from learner.rloo import RLOO
from learner.settings import LearnerSettings
from learner.tuning import asked_of, helped, lacking, lessons_of, tune, with_own
from policy.model import Model
from policy.versions import CorruptVersion, UnknownVersion, Versions

WATCH_SHARE = 0.6
"""Of the gate's regression drop: PPO's own watch is stricter than the gate, on more prompts."""

WATCH_PROMPTS = 2
"""Times the gate's, where there are more: a fall of 3 in 100 is to be told from chance."""

GATE_SEED, WATCH_SEED = 7, 8
"""Of the built-in model's two regression sets."""

METHODS: dict[str, type[PPO] | type[RLOO]] = {"ppo": PPO, "rloo": RLOO}
"""By the setting `learner.method`."""

ENOUGH_RANKINGS = 4
"""On each side of the split, below which there is nothing to train or to examine."""


@dataclass(frozen=True)
class Result:
    """How a round ends."""

    outcome: str
    reasons: tuple[Reason, ...]
    version_id: str | None = None
    reward_id: str | None = None
    reward: dict[str, Any] | None = None


@dataclass(frozen=True)
class Named:
    """A model and the version that it is."""

    id: str
    model: Model


class Round:
    """The state of a running round."""

    def __init__(
        self,
        store: Store,
        versions: Versions,
        model: str,
        settings: LearnerSettings,
        claim: Claim,
        baseline: Baseline,
    ) -> None:
        self.store = store
        self.versions = versions
        self.model = model
        self.settings = settings
        self.claim = claim
        self.baseline = baseline
        self.progress = Progress(store, claim)
        self.publisher = Publisher(store, versions, claim)
        self.seed = settings.seed + 1000 * claim.round_id

    def run(self) -> Result:
        """Do what is asked for or due, as far as it goes. Raises Cancelled, LeaseLost."""
        info = self.store.round(self.claim.round_id)
        stages = stages_of(info, self.store, self.settings)
        self.clear_leftovers()
        if "sft" in stages:
            return self.fine_tune()
        too_few = self.read()
        if too_few:
            return Result("needs_feedback", (too_few,))
        judges = self.train_judges()
        sure = judges.surely_better
        result = Result("needs_feedback", (sure,), reward=judges.figures)
        if not sure.passed:
            return result
        result = replace(result, reward_id=self.publish_reward(judges))
        if "ppo" not in stages:
            return replace(result, outcome="verified")
        return self.improve_and_decide(judges, result)

    def fine_tune(self) -> Result:
        """Read demonstrations, fine-tune the reference on them, publish, gate."""
        self.progress.stage("reading")
        given = self.store.training_demonstrations()
        self.store.use_demonstrations(self.claim, [one.id for one in given])
        device = self.open()
        self.start = self.reference.id
        self.policy = self.versions.load(self.start, device=device)
        lessons = lessons_of(given, self.policy)
        nothing = lacking(lessons)
        if nothing:
            return Result("needs_feedback", (nothing,))
        self.gather(asked_of(given, self.policy))
        lessons = with_own(lessons, self.material)
        tuned = tune(self.policy, lessons, self.settings.sft, self.seed, self.progress)
        live = self.versions.load(self.live.version, device=device)
        result = Result("rejected", (helped(tuned, lessons, live),))
        return self.decide_tuned(result) if result.reasons[0].passed else result

    def decide_tuned(self, result: Result) -> Result:
        """Publish, gate. What it could do is measured from v0, however often it is fine-tuned."""
        self.progress.stage("regression of v0")
        v0 = Named("v0", self.versions.load("v0", device=str(self.policy.net.device)))
        gate_set, score = self._regression(GATE_SEED, v0)
        figures = {"stage": "sft", "held_out_loss": result.reasons[0].value}
        id = self.publish(None, figures)
        return _decided(result, id, self.decide(id, v0, None, gate_set, score))

    def clear_leftovers(self) -> None:
        """Remove folders that an interrupted round published and did not live to register."""
        known = {v.id for v in (*self.store.versions(), *self.store.versions(reward=True))}
        for id in set(self.versions.ids()) - known:
            self.versions.remove(id)

    def read(self) -> Reason | None:
        """Everything the round works on; a reason if the rankings do not suffice."""
        self.progress.stage("reading")
        self.rankings = self.store.training_rankings()
        self.store.use_rankings(self.claim, [r.ranking_id for r in self.rankings])
        train = sum(r.split == "train" for r in self.rankings)
        judge = len(self.rankings) - train
        if min(train, judge) < ENOUGH_RANKINGS:
            text = f"{train} rankings to learn from and {judge} to judge by; it takes 4 of each."
            value = float(min(train, judge))
            return Reason("rankings", False, value, float(ENOUGH_RANKINGS), text)
        self.start, self.policy = self._start(self.open())
        self.gather()
        return None

    def open(self) -> str:
        """The models that the round stands on; the device that they are on."""
        device = take_device(self.settings)
        self.live: Live = self.store.live()
        reference = reference_of(self.store, self.live.version)
        self.reference = Named(reference, self.versions.load(reference, device=device))
        return device

    def gather(self, spare: Sequence[LoggedPrompt] = ()) -> None:
        """Prompts, and the reference's replies to some; the spare ones stand in where nobody has
        asked what one could be judged on.
        """
        self.progress.stage("reference samples")
        logged = self.store.logged_prompts(1024)
        if all(prompt.split == "train" for prompt in logged):
            logged = [*logged, *spare]
        of = BuiltinMaterial if self.model == "builtin" else LoggedMaterial
        self.material: Material = of(self.reference.model, logged, self.seed)

    def _start(self, device: str) -> tuple[str, Model]:
        """The version to go on from, or the live one where its folder is no longer whole."""
        id = start_of(self.store, self.live.version)
        try:
            return id, self.versions.load(id, device=device)
        except (UnknownVersion, CorruptVersion):
            if id == self.live.version:
                raise
        return self.live.version, self.versions.load(self.live.version, device=device)

    def train_judges(self) -> Judges:
        """Both reward models, normalised on the reference's samples."""
        folder = self.versions.folder(self.reference.id)
        return train_judges(
            folder,
            self.rankings,
            self.material.samples,
            self.settings.reward,
            self.seed,
            self.progress,
            self.reference.model.net.device,
        )

    def publish_reward(self, judges: Judges) -> str:
        """PPO's reward model as a version folder."""
        calibrated = {"calibration_error": judges.calibration.error}
        return self.publisher.publish(
            "r",
            judges.reward.save,
            parent=self.reference.id,
            settings=self.settings.reward.model_dump(mode="json"),
            figures=judges.held_out.as_dict() | calibrated,
        )

    def improve_and_decide(self, judges: Judges, result: Result) -> Result:
        """PPO, publish, gate."""
        self.progress.stage(f"regression of {self.reference.id}")
        gate_set, gate_score = self._regression(GATE_SEED, self.reference)
        watched, watched_score = self._regression(WATCH_SEED, self.reference)
        ppo = METHODS[self.settings.method](
            self.policy,
            self.reference.model.net,
            judges.reward,
            self.material.replay,
            self.settings.ppo,
            self.seed,
            self.material.wrong,
        )
        floor = watched_score - WATCH_SHARE * self.settings.gate.regression_drop
        improvement = improve(ppo, self.material, watched, floor, self.progress, judges.judge)
        result = replace(result, reasons=(*result.reasons, *self._came_to(improvement)))
        if not improvement.kept_step:
            return replace(result, outcome="rejected")
        id = self.publish(result.reward_id)
        decision = self.decide(id, self.reference, judges, gate_set, gate_score)
        return _decided(result, id, decision)

    def _came_to(self, improvement: Improvement) -> Iterator[Reason]:
        """Which step was kept and, where a guard ended the steps early, why."""
        kept, text = improvement.kept_step, f"From {self.start}. {improvement.text}"
        yield Reason("improve", kept > 0, float(kept), 1.0, text)
        if improvement.stopped:
            yield improvement.stopped

    def _regression(self, seed: int, base: Named) -> tuple[Regression, float]:
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

    def publish(self, reward_id: str | None, figures: Mapping[str, Any] | None = None) -> str:
        """The improved policy as a version folder and a row with these figures."""
        self.progress.stage("publish")
        return self.publisher.publish(
            "v",
            self.policy,
            parent=self.start,
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
            live=self.versions.load(self.live.version, device=str(base.model.net.device)),
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


def _decided(result: Result, id: str, decision: Decision) -> Result:
    outcome = "promoted" if decision.passed else "rejected"
    reasons = (*result.reasons, *decision.reasons)
    return replace(result, outcome=outcome, reasons=reasons, version_id=id)
