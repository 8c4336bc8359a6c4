"""One learning round: rankings to a reward model, that to a better policy, that to a version.

Every write goes through the round's claim, so a learner that lost its lease can change nothing. A
round that is interrupted is claimed again and starts over: what it had published without a decision
is not a version anybody serves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from feedback.preferences import MarkedPrompt
from feedback.records import Claim, Live, Reason
from feedback.store import Store
from learner.assemble import rewarder_of, taught_text
from learner.device import device_of
from learner.gate import Case, Decision, decide
from learner.improve import Improvement, improve
from learner.judges import Judges, train_judges
from learner.lineage import start_of
from learner.marked import taught_by
from learner.material import BuiltinMaterial, LoggedMaterial, Material
from learner.parallel import use_threads
from learner.ppo import PPO
from learner.progress import Progress
from learner.regression import Baseline, ExpectedWords, OwnAnswers, Regression, checkable
from learner.rloo import RLOO
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
    ) -> None:
        self.store = store
        self.versions = versions
        self.model = model
        self.settings = settings
        self.claim = claim
        self.baseline = baseline
        self.progress = Progress(store, claim)
        self.seed = settings.seed + 1000 * claim.round_id

    def run(self) -> Result:
        """Read, train the judges, improve, publish, decide. Raises Cancelled, LeaseLost."""
        stages = self.store.round(self.claim.round_id).stages or ("reward", "ppo")
        self.clear_leftovers()
        lacking = self.read()
        if lacking:
            return Result("needs_feedback", (lacking,))
        judges = self.train_judges()
        sure = _surely_better(judges)
        result = Result("needs_feedback", (sure,), reward=_reward_figures(judges))
        if not sure.passed:
            return result
        result = replace(result, reasons=(*result.reasons, *self.assemble(judges)))
        if not all(reason.passed for reason in result.reasons):
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
        self.rankings = self.store.training_rankings()
        self.store.use_rankings(self.claim, [r.ranking_id for r in self.rankings])
        self.marked = self.read_marks()
        splits = [r.split for r in self.rankings] + [m.split for m in self.marked if m.thumbs]
        train, judge = splits.count("train"), splits.count("judge")
        if min(train, judge) < ENOUGH_RANKINGS:
            text = f"{train} rankings to learn from and {judge} to judge by; it takes 4 of each."
            value = float(min(train, judge))
            return Reason("rankings", False, value, float(ENOUGH_RANKINGS), text)
        device = device_of(self.settings.device)
        use_threads(self.settings.cpu_threads if device == "cpu" else 1)
        self.live: Live = self.store.live()
        self.base = self.versions.load("v0", device=device)
        self.start, self.policy = self._start(device)
        self.progress.stage("reference samples")
        self.material = self._material()
        return None

    def read_marks(self) -> list[MarkedPrompt]:
        """Thumbs and ratings, as far as this kind of reward model learns from them."""
        criteria = taught_by(self.settings.reward)
        marked = self.store.training_marks(criteria) if criteria else []
        self.store.use_marks(self.claim, [id for m in marked for id in m.mark_ids])
        return marked

    def _start(self, device: str) -> tuple[str, Model]:
        """The version to go on from, or the live one where its folder is no longer whole."""
        id = start_of(self.store, self.live.version)
        try:
            return id, self.versions.load(id, device=device)
        except (UnknownVersion, CorruptVersion):
            if id == self.live.version:
                raise
        return self.live.version, self.versions.load(self.live.version, device=device)

    def _material(self) -> Material:
        logged = self.store.logged_prompts(1024)
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
            self.marked,
        )

    def assemble(self, judges: Judges) -> Iterator[Reason]:
        """Put together what PPO is rewarded by; a reason where a text model is part of it."""
        reward, text = self.settings.reward, None
        if reward.trunk is not None:
            feedback, device = (self.rankings, self.marked), self.base.net.device
            text, reason = taught_text(feedback, reward, self.seed, self.progress, device)
            yield reason
        self.rewarder = rewarder_of(judges.reward, reward, self.base.chat, self.material, text)

    def publish_reward(self, judges: Judges) -> str:
        """PPO's reward as a version folder."""
        id = self.store.next_id("r")
        manifest = self.versions.publish(
            id,
            self.rewarder.save,
            kind="reward",
            parent="v0",
            round=self.claim.round_id,
            settings=self.settings.reward.model_dump(mode="json"),
        )
        self.store.register_version(
            id,
            digest=manifest.digest,
            parent="v0",
            kind="reward",
            round_id=self.claim.round_id,
            figures=judges.held_out.as_dict() | {"calibration_error": judges.calibration.error},
            claim=self.claim,
        )
        return id

    def improve_and_decide(self, judges: Judges, result: Result) -> Result:
        """PPO, publish, gate."""
        self.progress.stage("regression of v0")
        gate_set, gate_score = self._regression(GATE_SEED)
        watched, watched_score = self._regression(WATCH_SEED)
        ppo = METHODS[self.settings.method](
            self.policy,
            self.base.net,
            self.rewarder,
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
        id, round_id = self.store.next_id("v"), self.claim.round_id
        reward_digest = self.store.version(reward_id).digest if reward_id else None
        manifest = self.versions.publish(
            id,
            self.policy,
            kind="full",
            parent=self.start,
            round=round_id,
            reward_digest=reward_digest,
            settings=self.settings.model_dump(mode="json"),
        )
        self.store.register_version(
            id,
            digest=manifest.digest,
            parent=self.start,
            kind="full",
            round_id=round_id,
            reward_id=reward_id,
            claim=self.claim,
        )
        return id

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


def _surely_better(judges: Judges) -> Reason:
    """PPO starts only on a reward model that is surely better than chance."""
    a, ties = judges.cross_validated, judges.tie_aware
    text = (
        f"Orders {a.accuracy:.3f} of the pairs of a ranking as people did, in {a.conversations} "
        f"unseen conversations with {a.pairs} untied pairs "
        f"(95 % interval {a.low:.3f} to {a.high:.3f}; preferring the longer {a.longer_wins:.3f}). "
        f"With ties as outcomes {ties.accuracy:.3f}; always saying tie {ties.always_tied:.3f}."
    )
    return Reason("reward_accuracy", a.low > 0.5, a.accuracy, 0.5, text)


def _reward_figures(judges: Judges) -> dict[str, Any]:
    """The held-out figures of PPO's reward model, the cross-validated ones beside, and those with
    ties as outcomes; then how far probabilities and lengths are to be trusted, and how far people
    agree (None where no two compared the same answers).
    """
    cross = {f"cross_validated_{k}": v for k, v in judges.cross_validated.as_dict().items()}
    ties = {f"tie_aware_{k}": v for k, v in asdict(judges.tie_aware).items()}
    return {
        **judges.held_out.as_dict(),
        **cross,
        **ties,
        "calibration_error": judges.calibration.error,
        "reliability": judges.calibration.bins,
        "length_correlation": judges.length_correlation,
        "agreement": judges.agreement,
        "tie_aware_agreement": judges.tie_aware_agreement,
        **({"criteria": judges.criteria} if judges.criteria else {}),
    }
