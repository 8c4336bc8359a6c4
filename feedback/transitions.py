"""The states of a version, and which may follow which. Pure: knows no rows.

    trained -> verified -> (shadow) -> (canary) -> live -> retired

or rejected, or failed. `check` is asked before every change.
"""

from __future__ import annotations

from collections.abc import Mapping

from .errors import IllegalMove

MOVES: Mapping[str, frozenset[str]] = {
    "trained": frozenset({"verified", "rejected", "failed"}),
    "verified": frozenset({"shadow", "canary", "live", "rejected", "failed"}),
    "shadow": frozenset({"canary", "live", "rejected", "failed"}),
    "canary": frozenset({"verified", "live", "rejected", "failed"}),
    "live": frozenset({"retired", "rejected"}),
    "retired": frozenset({"canary", "live", "rejected", "failed"}),
    "rejected": frozenset({"canary", "live"}),
    "failed": frozenset(),
}
"""By state, those that may follow. People may bring back what was retired or rejected; what failed
is broken for good."""

SERVES = frozenset({"shadow", "canary", "live"})
"""States of policies alone."""


def allowed(kind: str, source: str, target: str) -> bool:
    """Whether a version of this kind may go from one state to the other."""
    return target in MOVES[source] and refusal(kind, target) is None


def refusal(kind: str, target: str) -> str | None:
    """Why no version of this kind comes to this state, whatever it is in; None if it may."""
    if kind == "reward" and target in SERVES:
        return "is a reward model: it serves nobody"
    if kind == "base" and target in ("rejected", "failed"):
        return "is the starting model: it stays"
    return None


def check(id: str, kind: str, source: str, target: str) -> None:
    """Raises IllegalMove, which names both states, unless the move is allowed."""
    if target not in MOVES[source]:
        message = f"{id} is {source} and cannot become {target}"
        raise IllegalMove(message, param="version", value=id)
    never = refusal(kind, target)
    if never is not None:
        message = f"{id} {never}, so from {source} it cannot become {target}"
        raise IllegalMove(message, param="version", value=id)
