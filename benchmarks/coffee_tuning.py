"""Coffee orders, first: the built-in model is fine-tuned on whole dialogs, and becomes v1."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.real_data import coffee_dialogs, held_out
from benchmarks.workshop import Workshop, table
from learner.demonstration import of_conversation
from learner.settings import SFTSettings
from learner.sft import Lessons, fine_tune
from policy.model import Model

SETTINGS = SFTSettings(learning_rate=1e-3, own_samples=0.0, tokens_per_step=2048)
"""This model is to take orders and nothing else: nothing of the built-in one's own is mixed in, and
the rate is ten times that which keeps it. Steps are larger, because demonstrations are thousands.
"""

HELD_OUT = 0.1
"""Share of the dialogs, by what they begin with."""


def fine_tuning(shop: Workshop) -> dict[str, Any]:
    """Perplexity of the answers in held-out dialogs, before and after each pass."""
    policy = shop.base
    lessons = lessons_of(shop, policy)
    settings = SETTINGS.model_copy(update={"epochs": shop.effort.passes})
    tuned = fine_tune(policy.net, lessons, settings, 0, shop.reporter("fine-tuning"))
    shop.versions.publish("v1", policy, kind="full", parent="v0", round=None)
    perplexities = [math.exp(loss) for loss in tuned.losses]
    return {
        "learned_from": len(lessons.shown),
        "held_out": len(lessons.held_out),
        "perplexity_before": perplexities[0],
        "perplexity_after": perplexities[tuned.kept],
        "perplexities": perplexities,
    }


def lessons_of(shop: Workshop, policy: Model) -> Lessons:
    """Both sides of the dialogs, as tokens."""
    shown, held = (
        [
            piece
            for dialog in coffee_dialogs(shop.data)
            if held_out(dialog[0].content, 0, HELD_OUT) == side
            for piece in of_conversation(policy.chat, dialog, policy.context)
        ]
        for side in (False, True)
    )
    return Lessons(shown, held)


def fine_tuning_table(found: dict[str, Any]) -> str:
    """Perplexity per token of an answer."""
    heads = ("dialogs", "held out", "perplexity before", "after")
    figures = [f"{found[name]:.2f}" for name in ("perplexity_before", "perplexity_after")]
    return table(heads, [[str(found["learned_from"]), str(found["held_out"]), *figures]])
