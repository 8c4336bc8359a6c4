"""What keeps rounds from running here, told before any weight is read."""

from __future__ import annotations

import importlib.util

from learner.lineage import refusal
from learner.memory import missing
from learner.settings import LearnerSettings
from policy.versions import Versions

NO_PEFT = "learner.weights lora needs the library peft: pip install peft."


def lacking(versions: Versions, live: str, settings: LearnerSettings) -> str | None:
    """A sentence for people, None where rounds can run. Raises UnknownVersion, CorruptVersion."""
    if settings.weights == "lora" and importlib.util.find_spec("peft") is None:
        return NO_PEFT
    return refusal(versions, live, settings) or missing(versions.folder("v0"), settings)
