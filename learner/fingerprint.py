"""What a round's state belongs to: with the same, every step comes out the same on a CPU.

The live version is not of it. Where a round starts and what it is held near are, and nothing before
the gate asks who serves. Nor is the code: what a state holds is numbered instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from feedback.preferences import RankedPrompt
from feedback.records import LoggedPrompt
from learner.settings import LearnerSettings
from policy.manifest import Manifest

FORMAT = 1
"""Of the states; another number makes those of before foreign."""

AROUND = {
    *("mode", "schedule", "tick_s", "lease_s", "save_every", "tensorboard"),
    *("rankings_per_round", "least_rankings", "demonstrations_per_round", "longest_wait_s"),
    *("idle_s", "sft", "personal_data", "trust", "processes"),
}
"""Settings of when a round runs, of what is seen of it, of rounds that fine-tune, and of weights,
which are written down with the rankings: they change nothing in it, and how many processes share
its work changes roundings. What personal data leaves out
is told by the rankings that are left."""


def fingerprint(
    model: str,
    settings: LearnerSettings,
    seed: int,
    versions: Sequence[Manifest],
    rankings: Sequence[RankedPrompt],
    prompts: Sequence[LoggedPrompt],
    marks: Sequence[int] = (),
) -> dict[str, Any]:
    """As JSON; `versions` are those whose weights go into the round: reference and start;
    `marks` the ids of thumbs and ratings.
    """
    set_to = settings.model_dump(mode="json", exclude=AROUND)
    return {
        "format": FORMAT,
        "model": model,
        "settings": _digest(set_to | {"threads": settings.cpu_threads}),
        "seed": seed,
        "versions": [[manifest.id, manifest.digest] for manifest in versions],
        "rankings": [[r.ranking_id, r.weight] for r in rankings],
        "marks": list(marks),
        "prompts": _digest([[p.split, p.prompt_ids] for p in prompts]),
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
