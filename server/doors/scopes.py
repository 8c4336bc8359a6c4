"""Which scope each route needs. What stands here under no scope is open to whoever has a key; what
does not stand here is open to the owner alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from ..errors import ApiError
from .callers import Caller

OPEN_ROUTES = frozenset({"/livez", "/readyz", "/health"})
"""Answered to everybody, key or none."""

SIGN_IN_ROUTES = frozenset(
    {
        "GET /v1/sessions/ways",
        "POST /v1/sessions",
        "POST /v1/invitations",
        "POST /v1/sessions/openid/begin",
        "POST /v1/sessions/openid",
    }
)
"""Answered to whoever wants to sign in; each counts the tries."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "GET /openapi.json": (),
    "GET /livez": (),
    "GET /readyz": (),
    "GET /health": (),
    **dict.fromkeys(sorted(SIGN_IN_ROUTES), ()),
    "DELETE /v1/sessions/current": (),
    "GET /v1/me": (),
    "PUT /v1/me/password": (),
    "GET /v1/me/export": (),
    "GET /v1/me/consent": (),
    "PUT /v1/me/consent": (),
    "DELETE /v1/me": (),
    "GET /v1/learner": (),
    "GET /v1/versions": (),
    "GET /v1/versions/{id}": (),
    "GET /v1/models": (),
    "GET /v1/models/{name}": (),
    "POST /v1/chat/completions": ("chat",),
    "POST /v1/completions": ("chat",),
    "POST /tokenize": ("chat",),
    "POST /detokenize": ("chat",),
    "GET /v1/conversations": ("chat",),
    "GET /v1/conversations/{id}": ("chat",),
    "GET /v1/candidates/{id}": ("chat", "read"),
    "GET /v1/candidates/{id}/tokens": ("chat", "read"),
    "GET /v1/candidates/{id}/tokens/{place}": ("chat", "read"),
    "POST /v1/rankings": ("rank",),
    "POST /v1/thumbs": ("rank",),
    "POST /v1/ratings": ("rank",),
    "POST /v1/demonstrations": ("rank",),
    "GET /v1/tasks": ("rank",),
    "GET /v1/tasks/next": ("rank",),
    "POST /v1/tasks/{task_id}/skip": ("rank",),
    "POST /v1/tasks/{task_id}/renew": ("rank",),
    "POST /v1/battles": ("rank",),
    "GET /v1/versions/compared": ("read",),
    "GET /v1/canary": ("read",),
    "GET /v1/alarms": ("read",),
    "GET /v1/progress": ("read",),
    "GET /v1/rounds": ("read",),
    "GET /v1/rounds/{id}": ("read",),
    "GET /v1/rounds/{id}/metrics": ("read",),
    "GET /v1/rounds/{id}/inputs": ("read",),
    "GET /v1/raters": ("read",),
    "GET /v1/raters/{id:path}": ("read",),
    "GET /v1/prompts": ("read",),
    "GET /v1/tasks/gold": ("read",),
    "GET /metrics": ("read",),
    "POST /v1/learner/pause": ("operate",),
    "POST /v1/learner/resume": ("operate",),
    "POST /v1/rounds": ("operate",),
    "POST /v1/rounds/{id}/cancel": ("operate",),
    "POST /v1/versions/rollback": ("operate",),
    "POST /v1/versions/{id}/promote": ("operate",),
    "POST /v1/versions/{id}/reject": ("operate",),
    "POST /v1/versions/{id}/canary": ("operate",),
    "POST /v1/versions/{id}/pin": ("operate",),
    "POST /v1/versions/{id}/unpin": ("operate",),
    "POST /v1/versions/{id}/quarantine": ("operate",),
    "POST /v1/versions/{id}/readmit": ("operate",),
    "POST /v1/prompts": ("operate",),
    "POST /v1/tasks/gold": ("operate",),
    "GET /v1/export": ("admin",),
    "POST /v1/import": ("admin",),
    "POST /v1/import/format": ("admin",),
    "GET /v1/audit": ("admin",),
}

OPERATORS = frozenset({"operate", "admin"})


def route_of(scope: Scope, routes: Sequence[BaseRoute]) -> str | None:
    """`POST /v1/versions/{id}/promote` for the request; None where nothing answers it."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    for route in routes:
        if route.matches(scope)[0] is Match.FULL:
            return f"{method} {getattr(route, 'path', '')}"
    return None


def check_scope(caller: Caller, route: str | None) -> None:
    """Raises ApiError unless the caller's key reaches this route. An address that nothing answers
    is the router's to refuse."""
    if caller.is_owner or route is None:
        return
    needs = NEEDS.get(route)
    if needs is None:
        raise ApiError(403, "This is for the owner of the server alone.", code="insufficient_scope")
    if needs and not caller.has(*needs):
        scope = " or ".join(f"`{need}`" for need in needs)
        message = f"Your key does not reach this: it needs the scope {scope}."
        raise ApiError(403, message, code="insufficient_scope")


def is_operation(route: str | None) -> bool:
    """Whether it changes something that is more than one person's; what is not declared may."""
    if route is None or route.startswith("GET "):
        return False
    needs = NEEDS.get(route)
    return needs is None or not OPERATORS.isdisjoint(needs)
