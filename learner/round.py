"""One learning round: rankings to a reward model, that to a better policy, that to a version; or
demonstrations to a fine-tuned policy, and that to a version.

A round that is interrupted is claimed again. What it had published without a decision is not a
version anybody serves.
"""

from __future__ import annotations

from dataclasses import replace

from learner import from_demonstrations
from learner.due import stages_of
from learner.from_rankings import Ranked
from learner.ground import Ground, Result


def run(ground: Ground) -> Result:
    """Do what is asked for or due, as far as it goes. Raises Cancelled, LeaseLost."""
    info = ground.store.round(ground.claim.round_id)
    stages = stages_of(info, ground.store, ground.settings)
    ground.clear_leftovers()
    if "sft" in stages:
        result = from_demonstrations.learn(ground)
    else:
        result = Ranked(ground).learn(improving="ppo" in stages)
    held = [note for note in (ground.sieve.note(), ground.shares.note()) if note is not None]
    return replace(result, reasons=(*ground.notes, *held, *result.reasons))
