"""Who gets a canary's answers, and by what a trial is decided."""

from __future__ import annotations

import hashlib

from feedback.trials import Terms

from ..settings import Settings


def chosen(person: str, version: str, share: float) -> bool:
    """Whether the person is among the share who get this version's answers: always the same for the
    two, and for another version other people.
    """
    digest = hashlib.sha256(f"{version}\x00{person}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def terms_of(settings: Settings) -> Terms:
    """A better canary is promoted without a person in mode `canary` alone."""
    canary = settings.server.canary
    return Terms(canary.error, canary.least, promotes=settings.learner.mode == "canary")
