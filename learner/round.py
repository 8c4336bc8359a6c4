"""One learning round: rankings to a reward model, that to a better policy, that to a version.

Every write goes through the round's claim, so a learner that lost its lease can change nothing. A
round that is interrupted is claimed again and goes on from what it had saved, to the same end. What
it had published without a decision is not a version anybody serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from feedback.preferences import RankedPrompt
from feedback.records import Claim, Live, LoggedPrompt, Reason
from feedback.store import Store
from learner.fingerprint import fingerprint
from learner.gate import Case, Decision, decide
from learner.improve import Improvement, improve
from learner.judges import Judges, train_judges
from learner.lineage import start_of
from learner.material import BuiltinMaterial, LoggedMaterial, Material
from learner.parallel import use_threads
from learner.plan import plan_of
from learner.ppo import PPO
from learner.progress import Progress
from learner.publishing import Publisher
from learner.regression import Baseline, ExpectedWords, OwnAnswers, Regression, checkable
from learner.rloo import RLOO
from learner.saved import Saved
from learner.saves import Saves
from learner.settings import LearnerSettings
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

LOGGED_PROMPTS = 1024
"""Of the last that people asked, to draw rollouts from."""

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
        folder: Path,
    ) -> None:
        """`folder` is where running rounds save their state."""
        self.store = store
        self.versions = versions
        self.model = model
        self.claim = claim
        self.baseline = baseline
        self.folder = folder
        self.progress = Progress(store, claim)
        self.plan = plan_of(store, versions, settings, claim.round_id)
        self.settings, self.seed = self.plan.settings, self.plan.seed

    def run(self) -> Result:
        """Read, train the judges, improve, publish, decide. Raises Cancelled, LeaseLost."""
        stages = self.store.round(self.claim.round_id).stages or ("reward", "ppo")
        self.clear_leftovers()
        lacking = self.read()
        if lacking:
            return Result("needs_feedback", (lacking,))
        judges = self.train_judges()
        sure = judges.surely_better
        result = Result("needs_feedback", (sure,), reward=judges.figures)
        if not sure.passed:
            return result
        result = replace(result, reward_id=self.publish_reward(judges))
        if "ppo" not in stages:
            return replace(result, outcome="verified")
        return self.improve_and_decide(judges, result)

    def clear_leftovers(self) -> None:
        """Remove folders that an interrupted round published and did not live to register."""
        known = {v.id for v in (*self.store.versions(), *self.store.versions(reward=True))}
        for id in set(self.versions.ids()) - known:
            self.versions.remove(id)

    def read(self) -> Reason | None:
        """Everything the round works on; a reason if the rankings do not suffice."""
        self.progress.stage("reading")
        self.rankings = self._rankings()
        train = sum(r.split == "train" for r in self.rankings)
        judge = len(self.rankings) - train
        if min(train, judge) < ENOUGH_RANKINGS:
            text = f"{train} rankings to learn from and {judge} to judge by; it takes 4 of each."
            value = float(min(train, judge))
            return Reason("rankings", False, value, float(ENOUGH_RANKINGS), text)
        device = _device(self.settings.device)
        use_threads(self.settings.cpu_threads if device == "cpu" else 1)
        self.live: Live = self.store.live()
        self.base = self.versions.load("v0", device=device)
        self.start, self.policy = self._start(device)
        logged = self.store.use_prompts(self.claim, LOGGED_PROMPTS)
        self.saved = self._saved(logged)
        self.publisher = Publisher(self.store, self.versions, self.claim, self.saved)
        if self.settings.tensorboard is not None:
            self.progress.show_in(self.settings.tensorboard / f"round-{self.claim.round_id}")
        self.progress.stage("reference samples")
        self.material = self._material(logged)
        return None

    def _saved(self, logged: Sequence[LoggedPrompt]) -> Saved:
        """What an interrupted attempt at this very round had come to, if there was one. Figures of
        an attempt at anything else are no longer the round's.
        """
        of = [self.versions.read(id) for id in ("v0", self.start)]
        belongs = fingerprint(self.model, self.settings, self.seed, of, self.rankings, logged)
        saved = Saved(self.folder / str(self.claim.round_id), belongs)
        if not saved.found:
            self.store.forget_metrics(self.claim)
        return saved

    def _rankings(self) -> list[RankedPrompt]:
        """Those that an earlier attempt, or whoever asked for a repeat, wrote down; else all that
        there are, written down.
        """
        rankings = self.store.used_rankings(self.claim.round_id)
        if not rankings:
            rankings = self.store.training_rankings()
            self.store.use_rankings(self.claim, [r.ranking_id for r in rankings])
        return rankings

    def _start(self, device: str) -> tuple[str, Model]:
        """The version to go on from, or the live one where its folder is no longer whole. A repeat
        has no choice.
        """
        if self.plan.start is not None:
            return self.plan.start, self.versions.load(self.plan.start, device=device)
        id = start_of(self.store, self.live.version)
        try:
            return id, self.versions.load(id, device=device)
        except (UnknownVersion, CorruptVersion):
            if id == self.live.version:
                raise
        return self.live.version, self.versions.load(self.live.version, device=device)

    def _material(self, logged: Sequence[LoggedPrompt]) -> Material:
        if self.model == "builtin":
            return BuiltinMaterial(self.base, logged, self.seed)
        return LoggedMaterial(self.base, logged, self.seed)

    def train_judges(self) -> Judges:
        """Both reward models, normalised on the reference's samples."""
        folder = self.versions.folder("v0")
        return train_judges(
            folder,
            self.rankings,
            self.material.samples,
            self.settings.reward,
            self.seed,
            self.progress,
            self.base.net.device,
            self.saved,
        )

    def publish_reward(self, judges: Judges) -> str:
        """PPO's reward model as a version folder."""
        calibrated = {"calibration_error": judges.calibration.error}
        return self.publisher.publish(
            "r",
            judges.reward.save,
            parent="v0",
            settings=self.settings.reward.model_dump(mode="json"),
            figures=judges.held_out.as_dict() | calibrated,
        )

    def improve_and_decide(self, judges: Judges, result: Result) -> Result:
        """PPO, publish, gate."""
        self.progress.stage("regression of v0")
        gate_set, gate_score = self._regression(GATE_SEED)
        watched, watched_score = self._regression(WATCH_SEED)
        ppo = METHODS[self.settings.method](
            self.policy,
            self.base.net,
            judges.reward,
            self.material.replay,
            self.settings.ppo,
            self.seed,
            self.material.wrong,
        )
        floor = watched_score - WATCH_SHARE * self.settings.gate.regression_drop
        saves = Saves(self.saved, self.settings.save_every)
        improvement = improve(
            ppo, self.material, watched, floor, self.progress, judges.judge, saves
        )
        result = replace(result, reasons=(*result.reasons, *self._came_to(improvement)))
        if not improvement.kept_step:
            return replace(result, outcome="rejected")
        id = self.publish(result.reward_id)
        decision = self.decide(id, judges, gate_set, gate_score)
        return replace(
            result,
            outcome="promoted" if decision.passed else "rejected",
            reasons=(*result.reasons, *decision.reasons),
            version_id=id,
        )

    def _came_to(self, improvement: Improvement) -> Iterator[Reason]:
        """Which step was kept and, where a guard ended the steps early, why."""
        kept, text = improvement.kept_step, f"From {self.start}. {improvement.text}"
        yield Reason("improve", kept > 0, float(kept), 1.0, text)
        if improvement.stopped:
            yield improvement.stopped

    def _regression(self, seed: int) -> tuple[Regression, float]:
        """A regression set and v0's score on it; the gate has other prompts than PPO's own watch,
        where there are more.
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
            regression = OwnAnswers.of(self.base, prompts)
        return regression, self.baseline.score(regression, self.base)

    def publish(self, reward_id: str | None) -> str:
        """The improved policy as a version folder and a row."""
        self.progress.stage("publish")
        return self.publisher.publish(
            "v",
            self.policy,
            parent=self.start,
            settings=self.settings.model_dump(mode="json"),
            reward_id=reward_id,
        )

    def decide(self, id: str, judges: Judges, regression: Regression, base: float) -> Decision:
        """The gate's checks, on the published folder."""
        self.progress.stage("gate", 6)
        device = str(self.base.net.device)
        case = Case(
            versions=self.versions,
            version=id,
            live=self.versions.load(self.live.version, device=device),
            base=self.base,
            judge=judges.judge,
            judge_scale=judges.judge_scale,
            regression=regression,
            base_regression=base,
            held_out=self.material.held_out(self.settings.gate.win_prompts),
            max_tokens=self.settings.ppo.max_tokens,
            seed=self.seed,
        )
        return decide(case, self.settings.gate, self.progress.step)


def _device(name: str) -> str:
    """`auto` is CUDA where there is one, else the CPU."""
    import torch

    if name != "auto":
        return name
    return "cuda:0" if torch.cuda.is_available() else "cpu"
