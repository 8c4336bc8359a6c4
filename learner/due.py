"""Which round is due and what it does, from how much waits and for how long."""

from __future__ import annotations

from collections.abc import Sequence

from feedback.records import RoundInfo, Waiting
from feedback.store import Store
from learner.settings import LearnerSettings

STAGES = ("sft", "reward", "ppo")
"""All that a round can do. One that fine-tunes does nothing else: it publishes one version, and
rankings are better learned from by one that goes on from what was fine-tuned."""


REST_S, LONGEST_REST_S = 60.0, 3600.0
"""After a round that failed none is started by itself for a minute, and twice as long after each
further failure, up to an hour: what is broken may stay so. People who ask are not kept waiting."""


def resting(store: Store) -> bool:
    """Has the last round failed too short a time ago?"""
    failures = store.failures()
    if failures.age_s is None:
        return False
    return failures.age_s < min(REST_S * 2.0 ** (failures.count - 1), LONGEST_REST_S)


def trigger_of(store: Store, settings: LearnerSettings) -> str | None:
    """Why a round should run now, if it should."""
    if resting(store):
        return None
    shown, ranked = store.waiting_demonstrations(), _judgements(store, settings)
    if shown.count >= settings.demonstrations_per_round:
        return "demonstrations"
    if ranked.count >= settings.rankings_per_round:
        return "rankings"
    if _waited(shown, _few(settings), settings):
        return "waited"
    return "waited" if _waited(ranked, settings.least_rankings, settings) else None


def stages_of(info: RoundInfo, store: Store, settings: LearnerSettings) -> Sequence[str]:
    """What the round does: what it is asked for, else to fine-tune where enough demonstrations
    wait, else to learn from rankings. One that was interrupted goes on with what it had begun.
    """
    if info.stages is not None:
        return info.stages
    if info.rankings or info.demonstrations:
        return STAGES[:1] if info.demonstrations else STAGES[1:]
    shown = store.waiting_demonstrations()
    enough = shown.count >= settings.demonstrations_per_round
    return STAGES[:1] if enough or _waited(shown, _few(settings), settings) else STAGES[1:]


def _judgements(store: Store, settings: LearnerSettings) -> Waiting:
    """Rankings and, where the reward model learns from them, thumbs."""
    ranked = store.waiting()
    if settings.reward.kind != "binary":
        return ranked
    thumbs = store.waiting_thumbs()
    ages = [w.oldest_age_s for w in (ranked, thumbs) if w.oldest_age_s is not None]
    return Waiting(ranked.count + thumbs.count, max(ages, default=None))


def _few(settings: LearnerSettings) -> int:
    """Half of the demonstrations that start a round at once."""
    return -(-settings.demonstrations_per_round // 2)


def _waited(waiting: Waiting, least: int, settings: LearnerSettings) -> bool:
    return waiting.count >= least and (waiting.oldest_age_s or 0.0) >= settings.longest_wait_s
