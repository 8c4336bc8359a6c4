"""Which rankings a round learns from, what each weighs, and what the round says of that.

Weights are made once, by the round's first attempt, and written down with the rankings: whoever
goes on with the round, or repeats it, reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from feedback.preferences import RankedPrompt
from feedback.records import Claim, Reason
from feedback.store import Store
from feedback.trust.alarm import ROUNDS, alarm_reason, raters_reason
from feedback.trust.judgements import Judgement
from feedback.trust.settings import TrustSettings
from feedback.trust.weights import apply, weigh
from learner.sieve import Sieve


def weighed(
    store: Store,
    claim: Claim,
    settings: TrustSettings,
    sieve: Sieve,
    criteria: Collection[str] = (),
) -> list[RankedPrompt]:
    """What is written down for the round; else all rankings that there are, as a whole and by these
    criteria, and that the sieve lets through, weighed and written down. Those that are left out are
    not among them. Raises LeaseLost.
    """
    found = store.used_rankings(claim.round_id)
    if found or store.round(claim.round_id).repeat_of is not None:
        return found  # of a repeat, nothing where its people took all of it back
    rankings = sieve.rankings(store.training_rankings())
    kept = {ranked.ranking_id for ranked in rankings}
    judgements = [one for one in store.judgements() if one.ranking_id in kept]
    others = sieve.rankings(store.rankings_by(criteria)) if criteria else []
    by_criterion = [Judgement.of(ranked) for ranked in others]
    weighing = weigh(judgements, settings, claim.round_id, by_criterion)
    rankings = sorted([*rankings, *others], key=lambda ranked: ranked.ranking_id)
    store.use_rankings(claim, [r.ranking_id for r in rankings], weighing.down)
    return apply(rankings, weighing)


def of_raters(store: Store, round_id: int, settings: TrustSettings) -> Iterator[Reason]:
    """How many people ranked and how much of it counts for less; an alarm where that has jumped."""
    inputs = store.round_inputs(round_id)
    left_out = sum(info.weight == 0 for info in inputs)
    lighter = sum(0 < info.weight < 1 for info in inputs)
    yield raters_reason(len({info.person for info in inputs}), left_out, lighter, settings)
    before = store.shares_left_out(before=round_id, limit=ROUNDS)
    alarm = alarm_reason(left_out, len(inputs), before, settings)
    if alarm:
        yield alarm
