"""What the page keeps in a browser of who is there: the session, and a sign-in that is under way.

Over https the names begin with `__Host-`, so that no other site of the domain can set them.
"""

from __future__ import annotations

import json
import time

from starlette.requests import HTTPConnection
from starlette.responses import Response

from ui.sign_in_client import Session
from ui.visitor import Visitor

SESSION, OPENID, WHOSE = "rankloop-session", "rankloop-openid", "rankloop-whose"
OPENID_S = 600


def is_https(connection: HTTPConnection) -> bool:
    """Whether the browser is at an https address, by what a proxy in front says too."""
    return connection.url.scheme == "https"


def _name(connection: HTTPConnection, name: str) -> str:
    return f"__Host-{name}" if is_https(connection) else name


def token_of(connection: HTTPConnection) -> str | None:
    """The session's text, if the browser has one."""
    return connection.cookies.get(_name(connection, SESSION)) or None


def keep_session(connection: HTTPConnection, response: Response, session: Session) -> None:
    """No script reads it, and no other site's form sends it along."""
    _set(connection, response, SESSION, session.token, int(session.expires_at - time.time()))


def drop_session(connection: HTTPConnection, response: Response) -> None:
    _set(connection, response, SESSION, "", 0)


def keep_openid(connection: HTTPConnection, response: Response, kept: dict[str, str]) -> None:
    """What belongs to a sign-in at a provider; for ten minutes."""
    text = json.dumps(kept, separators=(",", ":")).encode().hex()
    _set(connection, response, OPENID, text, OPENID_S)


def openid_of(connection: HTTPConnection) -> dict[str, str]:
    """That again, or nothing."""
    try:
        found = json.loads(bytes.fromhex(connection.cookies.get(_name(connection, OPENID), "")))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def drop_openid(connection: HTTPConnection, response: Response) -> None:
    _set(connection, response, OPENID, "", 0)


def whose(visitor: Visitor) -> str:
    """A header's value: by this cookie the page's own script (assets/whose.js) sees that another
    person is here than the one whose chat the browser remembers."""
    return f"{WHOSE}={visitor.mark}; Path=/; SameSite=lax"


def _set(
    connection: HTTPConnection, response: Response, name: str, value: str, max_age_s: int
) -> None:
    response.set_cookie(
        _name(connection, name),
        value,
        max_age=max(max_age_s, 0),
        path="/",
        secure=is_https(connection),
        httponly=True,
        samesite="lax",
    )
