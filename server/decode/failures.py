"""Why a version is not in memory, and whether the next try may find it otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from feedback.errors import NotFound
from policy.versions import CorruptVersion, UnknownVersion

from .orders import Broken


class OtherPlace(RuntimeError):
    """No version on record is where this server looks."""

    def __init__(self, version: str, place: str) -> None:
        super().__init__(
            f"neither {version} nor any other version on record is in {place}: versions.url must be"
            " the same for every server and learner. If their files are lost, roll back."
        )


# What the next try will find again, and what it may not: too little memory, a disk that is away.
LASTING = (CorruptVersion, UnknownVersion, NotFound, Broken)
PASSING = (OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Failure:
    """Why a version is not in memory. One that does not last is tried again at `retry_at`."""

    reason: str
    lasting: bool
    retry_at: float
