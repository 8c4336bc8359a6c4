"""When a round leaves out many more rankings than the last rounds did: something has changed, and
somebody should look. It stops nothing: what is left out can do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from ..records import Reason
from .settings import TrustSettings

RATERS, ALARM = "raters", "exclusions"
"""The checks of a round's reasons."""

ROUNDS = 5
"""How many of the last rounds it is held against."""


def raters_reason(people: int, left_out: int, lighter: int, settings: TrustSettings) -> Reason:
    """How many people ranked, and how many of their rankings count for less."""
    if people < settings.people:
        who = "One person's rankings count" if people == 1 else f"{people} people's rankings count"
        text = f"{who} in full: caps and trust act from {settings.people} people on."
    else:
        text = (
            f"{people} people ranked. Left out: {left_out} rankings; counted for less: {lighter}."
        )
    return Reason(RATERS, True, float(people), float(settings.people), text)


def alarm_reason(
    left_out: int, rankings: int, before: Sequence[float], settings: TrustSettings
) -> Reason | None:
    """The alarm, where the share left out has jumped; `before` are the last rounds' shares."""
    share = left_out / rankings if rankings else 0.0
    usual = fmean(before) if before else 0.0
    limit = usual + settings.alarm
    if share <= limit:
        return None
    text = (
        f"{left_out} of {rankings} rankings were left out, {share:.2f} of them; in the last rounds "
        f"it was {usual:.2f}. See the raters and why."
    )
    return Reason(ALARM, False, share, limit, text)
