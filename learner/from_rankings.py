"""A round that learns from rankings: two reward models, and the policy that PPO makes of them.

Interrupted, it goes on from what it had saved, to the same end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from feedback.preferences import MarkedPrompt, RankedPrompt
from feedback.records import LoggedPrompt, Reason
from learner import blocks
from learner.assemble import rewarder_of, taught_text
from learner.checks.suspects import of_rankings
from learner.fingerprint import fingerprint
from learner.ground import GATE_SEED, WATCH_SEED, Ground, Result
from learner.improve import Improvement, improve
from learner.judges import Judges, train_judges
from learner.lineage import WrongWeights, start_of
from learner.marked import taught_by
from learner.ppo import PPO
from learner.ranks import sharding
from learner.rloo import RLOO
from learner.saved import Saved
from learner.saves import Saves
from learner.weighing import of_raters, weighed
from policy.model import Model
from policy.versions import CorruptVersion, UnknownVersion

WATCH_SHARE = 0.8
"""Of the gate's regression drop: PPO's own watch is stricter than the gate, on other prompts."""

METHODS: dict[str, type[PPO] | type[RLOO]] = {"ppo": PPO, "rloo": RLOO}
"""By the setting `learner.method`."""

ENOUGH_RANKINGS = 4
"""On each side of the split, below which there is nothing to train or to examine."""


class Ranked:
    """The state of such a round."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def learn(self, improving: bool) -> Result:
        """How the round ends, and what it says of raters. Raises Cancelled, LeaseLost."""
        result, g = self._learn(improving), self.ground
        who = of_raters(g.store, g.claim.round_id, g.settings.trust)
        return replace(result, reasons=(*result.reasons, *who))

    def _learn(self, improving: bool) -> Result:
        """Read, train the judges, publish what rewards; then, if `improving`, improve the policy,
        publish, decide.
        """
        too_few = self.read()
        if too_few:
            return Result("needs_feedback", (too_few,))
        judges = self.train_judges()
        sure = judges.surely_better
        result = Result("needs_feedback", (sure,), reward=judges.figures)
        if not sure.passed:
            return result
        result = replace(result, reasons=(*result.reasons, *self.assemble(judges)))
        if not all(reason.passed for reason in result.reasons):
            return result
        result = replace(result, reward_id=self.publish_reward(judges))
        if not improving:
            return replace(result, outcome="verified")
        return self.improve_and_decide(judges, result)

    def read(self) -> Reason | None:
        """Everything the round works on; a reason if the rankings do not suffice."""
        self.ground.progress.stage("reading")
        self.rankings, self.marked = self.ground.readable(self._rankings(), self._marked())
        splits = [r.split for r in self.rankings if r.criterion is None]
        splits += [m.split for m in self.marked if m.thumbs]
        train, judge = splits.count("train"), splits.count("judge")
        if min(train, judge) < ENOUGH_RANKINGS:
            text = f"{train} rankings to learn from and {judge} to judge by; it takes 4 of each."
            value = float(min(train, judge))
            return Reason("rankings", False, value, float(ENOUGH_RANKINGS), text)
        self.ground.open()
        self.start, self.policy = self._start()
        logged, of_sets = self.ground.prompts(), self.ground.set_prompts()
        self.saved = self._saved([*logged, *of_sets])
        self.ground.publisher = replace(self.ground.publisher, saved=self.saved)
        self.ground.gather(logged, of_sets=of_sets)
        return None

    def _rankings(self) -> list[RankedPrompt]:
        g = self.ground
        criteria = g.settings.reward.weighed_criteria
        return weighed(g.store, g.claim, g.settings.trust, g.sieve, criteria)

    def _marked(self) -> list[MarkedPrompt]:
        """Thumbs and ratings, as far as this kind of reward model learns from them."""
        criteria = taught_by(self.ground.settings.reward)
        marked = self.ground.store.training_marks(criteria) if criteria else []
        marked = self.ground.shares.marked(self.ground.sieve.marked(marked))
        ids = [id for m in marked for id in m.mark_ids]
        self.ground.store.use_marks(self.ground.claim, ids)
        return marked

    def _saved(self, logged: Sequence[LoggedPrompt]) -> Saved:
        """What an interrupted attempt at this very round had come to, if there was one. Figures of
        an attempt at anything else are no longer the round's.
        """
        of = [self.ground.versions.read(id) for id in (self.ground.reference.id, self.start)]
        g, marks = self.ground, [id for m in self.marked for id in m.mark_ids]
        belongs = fingerprint(g.model, g.settings, g.seed, of, self.rankings, logged, marks)
        saved = Saved(self.ground.folder / str(self.ground.claim.round_id), belongs)
        if not saved.found:
            self.ground.store.forget_metrics(self.ground.claim)
        return saved

    def _start(self) -> tuple[str, Model]:
        """The version to go on from, or the live one where its folder is no longer whole or holds
        weights of the other kind. A repeat has no choice.
        """
        if self.ground.plan.start is not None:
            return self.ground.plan.start, self.ground.nets.policy(
                self.ground.plan.start, self.ground.seed
            )
        id = start_of(self.ground.store, self.ground.live.version)
        try:
            return id, self.ground.nets.policy(id, self.ground.seed)
        except (UnknownVersion, CorruptVersion, WrongWeights):
            if id == self.ground.live.version:
                raise
        return self.ground.live.version, self.ground.nets.policy(
            self.ground.live.version, self.ground.seed
        )

    def train_judges(self) -> Judges:
        """Both reward models, normalised on the reference's samples."""
        return train_judges(
            partial(self.ground.nets.reward, self.ground.reference.id),
            self.rankings,
            self.ground.material.samples,
            self.ground.settings.reward,
            self.ground.seed,
            self.ground.progress,
            self.saved,
            self.marked,
        )

    def assemble(self, judges: Judges) -> Iterator[Reason]:
        """Put together what PPO is rewarded by; a reason where a text model is part of it."""
        g, reward, text = self.ground, self.ground.settings.reward, None
        chat, device = g.reference.model.chat, judges.reward.net.device
        if reward.trunk is not None:
            feedback = (self.rankings, self.marked)
            text, reason = taught_text(feedback, reward, g.seed, g.progress, device)
            yield reason
        self.rewarder = rewarder_of(judges.reward, reward, chat, g.material, text)

    def publish_reward(self, judges: Judges) -> str:
        """PPO's reward as a version folder."""
        calibrated = {"calibration_error": judges.calibration.error}
        with sharding.gathered(judges.reward.net):
            return self.ground.publisher.publish(
                "reward",
                self.rewarder.save,
                parent=self.ground.reference.id,
                settings=self.ground.settings.reward.model_dump(mode="json"),
                figures=judges.held_out.as_dict() | calibrated,
            )

    def improve_and_decide(self, judges: Judges, result: Result) -> Result:
        """PPO, publish, gate."""
        self.ground.progress.stage(f"regression of {self.ground.reference.id}")
        gate_set = self.ground.regression(GATE_SEED, self.ground.reference)
        watched, watched_score = self.ground.regression(WATCH_SEED, self.ground.reference)
        blocks.trim()
        ppo = METHODS[self.ground.settings.method](
            self.policy,
            self.ground.reference.model.net,
            self.rewarder,
            self.ground.material.replay,
            self.ground.settings.ppo,
            self.ground.seed,
            self.ground.material.wrong,
            self.ground.draw,
        )
        floor = watched_score - WATCH_SHARE * self.ground.settings.gate.regression_drop
        saves = Saves(self.saved, self.ground.settings.save_every)
        improvement = improve(
            ppo, self.ground.material, watched, floor, self.ground.progress, judges.judge, saves
        )
        del ppo  # what its optimisers keep makes room for the versions that the gate compares
        blocks.trim()
        result = replace(result, reasons=(*result.reasons, *self._came_to(improvement)))
        if not improvement.kept_step:
            return replace(result, outcome="rejected")
        id = self.ground.publish(self.start, self.policy, result.reward_id)
        suspected = self.ground.suspects(*of_rankings(self.rankings))
        decision = self.ground.decide(id, self.ground.reference, judges, gate_set, suspected)
        return result.decided(id, decision)

    def _came_to(self, improvement: Improvement) -> Iterator[Reason]:
        """Which step was kept and, where a guard ended the steps early, why."""
        kept, text = improvement.kept_step, f"From {self.start}. {improvement.text}"
        yield Reason("improve", kept > 0, float(kept), 1.0, text)
        if improvement.stopped:
            yield improvement.stopped
