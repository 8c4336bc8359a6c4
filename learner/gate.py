"""May this version serve? Each check measures one thing, holds it to a limit and says so.

What is checked is the published folder, loaded as the server will load it. Replies are drawn once
and measured many ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from feedback.records import Reason
from learner.checks.canned import canned
from learner.checks.case import Case
from learner.checks.closeness import closeness
from learner.checks.drift import drift
from learner.checks.duel import fight, judge_knows, unjudged, win_rate
from learner.checks.folder import finite, integrity, language, loaded
from learner.checks.manner import Manner
from learner.checks.served import served
from learner.checks.taught import regression
from learner.checks.triggers import triggers
from learner.gate_settings import GateSettings
from learner.rollout import Sampling, roll_out
from policy.engine import Completion
from policy.model import Model

__all__ = ["CHECKS", "Case", "Decision", "decide"]

CHECKS = 18
"""That a version passes, where there is a judge."""

UNJUDGED_PROMPTS = 64
"""That the live version answers where no duel is fought, to tell drift by."""


@dataclass(frozen=True)
class Decision:
    """What the gate says of a version, with every check it made."""

    reasons: tuple[Reason, ...]

    @property
    def passed(self) -> bool:
        return all(reason.passed for reason in self.reasons)

    @property
    def figures(self) -> dict[str, float]:
        """The measured values by check."""
        return {r.check: r.value for r in self.reasons if r.value is not None}


def decide(case: Case, settings: GateSettings, report: Callable[[int, int], None]) -> Decision:
    """Run the checks in order; one that leaves nothing to measure ends them."""
    reasons: list[Reason] = []
    for reason in _checks(case, settings):
        reasons.append(reason)
        report(len(reasons), CHECKS)
    return Decision(tuple(reasons))


def _checks(case: Case, settings: GateSettings) -> Iterator[Reason]:
    for check in (integrity, finite):
        reason = check(case)
        yield reason
        if not reason.passed:
            return
    model, reason = loaded(case)
    yield reason
    if model is None:
        return
    reason = language(model, case)
    yield reason
    if reason.passed:
        yield from _answers(model, case, settings)


def _answers(model: Model, case: Case, settings: GateSettings) -> Iterator[Reason]:
    """The checks of what it says."""
    yield canned(model, case.lists.prompts)
    yield regression(model, case, settings.regression_drop)
    if case.judge is None:
        yield unjudged()
        said = _asked(model, case)
    else:
        yield judge_knows(case)
        duel = fight(model, case, settings.win_replies)
        yield win_rate(duel)
        said = Said([answers[0] for answers in duel.new], _all(duel.new), _all(duel.old))
    yield from closeness(said.firsts, case, settings.kl_limit, settings.live_kl_limit)
    yield served(model, said.firsts, settings.served_gap)
    new, live = (Manner.of(r, model.chat, case.lists.refusals) for r in (said.new, said.old))
    yield from drift(new, live, settings.drift, on_purpose=case.judge is None)
    yield triggers(model, case, settings.trigger_kl)


@dataclass(frozen=True)
class Said:
    """One reply of the version to each prompt; and all that it and the live one said to the same
    prompts.
    """

    firsts: Sequence[Completion]
    new: Sequence[Completion]
    old: Sequence[Completion]


def _asked(model: Model, case: Case) -> Said:
    """Of a fine-tuned version, which no duel makes speak."""
    how = Sampling(1.0, case.max_tokens, 4 * case.seed)
    new = _all(roll_out(model, case.held_out, how))
    old = _all(roll_out(case.live, case.held_out[:UNJUDGED_PROMPTS], how))
    return Said(new, new[: len(old)], old)


def _all(replies: Sequence[Sequence[Completion]]) -> list[Completion]:
    return [reply for answers in replies for reply in answers]
