"""A round that learns from demonstrations: the reference, fine-tuned on what people showed.

Interrupted, it starts over: it is short.
"""

from __future__ import annotations

from collections.abc import Sequence

from feedback.records import StoredDemonstration
from learner.ground import GATE_SEED, Ground, Named, Result
from learner.tuning import asked_of, helped, lacking, lessons_of, tune, with_own
from policy.model import Model


def learn(ground: Ground) -> Result:
    """Read demonstrations, fine-tune the reference on them, publish, gate. Raises Cancelled,
    LeaseLost, NotFinite.
    """
    ground.store.forget_metrics(ground.claim)
    ground.progress.stage("reading")
    given = ground.sieve.demonstrations(ground.store.training_demonstrations())
    given = ground.shares.demonstrations(given)
    ground.store.use_demonstrations(ground.claim, [one.id for one in given])
    ground.open()
    start = ground.reference.id
    policy = ground.nets.policy(start, ground.seed)
    lessons = lessons_of(given, policy)
    nothing = lacking(lessons)
    if nothing:
        return Result("needs_feedback", (nothing,))
    ground.gather(ground.prompts(), asked_of(given, policy))
    lessons = with_own(lessons, ground.material)
    tuned = tune(policy, lessons, ground.settings.sft, ground.seed, ground.progress)
    reason = helped(tuned, lessons, ground.nets.version(ground.live.version))
    result = Result("rejected", (reason,))
    return _decide(ground, start, policy, given, result) if reason.passed else result


def _decide(
    ground: Ground,
    start: str,
    policy: Model,
    given: Sequence[StoredDemonstration],
    result: Result,
) -> Result:
    """Publish, gate. What it could do is measured from v0, however often it is fine-tuned."""
    ground.progress.stage("regression of v0")
    v0 = Named("v0", ground.nets.base)
    gate_set = ground.regression(GATE_SEED, v0)
    figures = {"stage": "sft", "held_out_loss": result.reasons[0].value}
    id = ground.publish(start, policy, figures=figures)
    suspected = ground.suspects([text for one in given for _, text in one.messages], ())
    return result.decided(id, ground.decide(id, v0, None, gate_set, suspected))
