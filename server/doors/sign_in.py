"""People sign in and out: /v1/sessions, /v1/invitations, /v1/me and its password.

A session's text goes where a key's does, in the `Authorization` header, and reaches what the
person's account allows. Tries are counted by name and by address before a password is looked at.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from feedback import passwords as forms
from feedback.keys import SCOPES
from feedback.sessions import SessionInfo

from ..errors import ApiError, documented
from ..operate.operators import User, of
from ..serving import Serving
from . import access, callers
from .limits import Limiter, network
from .oidc import Provider
from .passwords import Passwords
from .sign_in_bodies import (
    InvitationRequest,
    OpenIdBegin,
    OpenIdEnd,
    PasswordRequest,
    SignInRequest,
)

router = APIRouter()

Begun = tuple[SessionInfo, str]
"""A session, and the only copy of its text."""

DAY_S = 86400.0
WRONG = "The name or the password is wrong."


@dataclass(frozen=True)
class Desk:
    """What the routes share."""

    serving: Serving
    limiter: Limiter
    passwords: Passwords
    provider: Provider | None

    @property
    def lifetime_s(self) -> float:
        return self.serving.settings.server.sign_in.session_days * DAY_S

    async def count(self, request: Request, name: str | None = None) -> None:
        """One more try; raises ApiError where that is one too many."""
        settings = self.serving.settings.server.sign_in
        host = request.client.host if request.client else "unknown"
        address = f"sign-in address {network(host)}"
        await self.limiter.count(address, settings.tries_per_address)
        if name is not None:
            await self.limiter.count(f"sign-in name {name}", settings.tries_per_name)

    def is_the_owners(self, password: str) -> bool:
        key = self.serving.key
        return key is not None and secrets.compare_digest(
            key.get_secret_value().encode(), password.encode(errors="surrogatepass")
        )

    async def begin(self, begin: Callable[..., Begun], *given: object, **named: object) -> Begun:
        """A session by one of the store's ways to begin one."""
        return await run_in_threadpool(begin, *given, lifetime_s=self.lifetime_s, **named)


def desk(request: Request) -> Desk:
    found: Desk = request.app.state.sign_in
    return found


@router.get("/v1/sessions/ways")
async def ways(request: Request) -> dict[str, Any]:
    """Whether one has to sign in here, and how one may: `password`, `key` for the owner, `openid`,
    which is called `label`."""
    at = desk(request)
    known = ["password", *(["key"] if at.serving.key else []), *(["openid"] if at.provider else [])]
    return {
        "object": "sign_in",
        "needed": await request.app.state.keyring.is_needed(),
        "ways": known,
        "label": at.provider.settings.label if at.provider else None,
    }


@router.post("/v1/sessions", status_code=201)
async def sign_in(request: Request, response: Response, body: SignInRequest) -> dict[str, Any]:
    """Begins a session by name and password; the owner gives any name and the key."""
    at, password = desk(request), body.password.get_secret_value()
    await at.count(request, body.name)
    store = at.serving.store
    if at.is_the_owners(password):
        return told(response, await at.begin(store.sign_in_owner, password))
    kept = await run_in_threadpool(store.password_of, body.name)
    if not await at.passwords.fits(kept, password) or kept is None:
        raise ApiError(401, WRONG, code="not_admitted")
    anew = await at.passwords.hashed(password, "") if forms.is_old(kept) else None
    return told(response, await at.begin(store.sign_in, body.name, kept, anew=anew))


@router.delete("/v1/sessions/current", responses=documented(409))
async def sign_out(request: Request) -> dict[str, Any]:
    """Ends the session that the request comes with."""
    id = _session()
    await run_in_threadpool(of(request).store.sign_out, id)
    request.app.state.keyring.forget()
    return {"object": "session", "id": id, "ended": True}


@router.post("/v1/invitations", status_code=201)
async def redeem(request: Request, response: Response, body: InvitationRequest) -> dict[str, Any]:
    """Uses an invitation up: from now on its person has this password; and begins a session."""
    at, text = desk(request), body.invitation.get_secret_value()
    await at.count(request)
    person = await run_in_threadpool(at.serving.store.invited, text)
    kept = await at.passwords.hashed(body.password.get_secret_value(), person)
    begun = await at.begin(at.serving.store.redeem, text, kept)
    request.app.state.keyring.forget()
    return told(response, begun)


@router.get("/v1/me")
async def me(request: Request, user: User = None) -> dict[str, Any]:
    """Who asks, what they may do, and by which session, if by any."""
    caller = callers.current()
    return {
        "object": "person",
        "person": access.person(user, of(request).key),
        "owner": caller.is_owner,
        "scopes": [scope for scope in SCOPES if caller.has(scope)],
        "session": caller.session,
        "way": caller.way,
    }


@router.put("/v1/me/password", responses=documented(409))
async def change_password(
    request: Request, response: Response, body: PasswordRequest
) -> dict[str, Any]:
    """Another password, for whoever is signed in and has one; every session of theirs ends, and a
    new one begins."""
    at, person = desk(request), callers.current().person
    _session()
    if person is None:
        raise ApiError(409, "The owner has a key and no password.", code="no_password")
    await at.count(request, person)
    store = at.serving.store
    kept = await run_in_threadpool(store.password_of, person)
    if not await at.passwords.fits(kept, body.old.get_secret_value()) or kept is None:
        raise ApiError(403, "The old password is wrong.", param="old", code="not_admitted")
    anew = await at.passwords.hashed(body.new.get_secret_value(), person)
    begun = await at.begin(store.change_password, person, kept, anew)
    request.app.state.keyring.forget()
    return told(response, begun)


@router.post("/v1/sessions/openid/begin", responses=documented(404))
async def begin_openid(request: Request, response: Response, body: OpenIdBegin) -> dict[str, Any]:
    """Where a browser signs in at the OpenID provider, and what has to be kept until it is back."""
    at = desk(request)
    await at.count(request)
    response.headers["cache-control"] = "no-store"
    return {"object": "sign_in.openid", **await _provider(at).begin(body.redirect_uri)}


@router.post("/v1/sessions/openid", status_code=201, responses=documented(404, 409))
async def end_openid(request: Request, response: Response, body: OpenIdEnd) -> dict[str, Any]:
    """Begins a session for whom the provider sent back."""
    at = desk(request)
    await at.count(request)
    who = await _provider(at).end(body.redirect_uri, body.code, body.nonce, body.verifier)
    begun = await at.begin(at.serving.store.admit, who.subject, who.name, who.scopes)
    request.app.state.keyring.forget()
    return told(response, begun)


def _provider(at: Desk) -> Provider:
    if at.provider is None:
        raise ApiError(404, "No OpenID provider is set: server.oidc.issuer.", code="no_provider")
    return at.provider


def _session() -> str:
    """The session that the request comes with; raises ApiError for a key and for nobody."""
    session = callers.current().session
    if session is None:
        raise ApiError(409, "This needs somebody who has signed in.", code="not_signed_in")
    return session


def told(response: Response, begun: Begun) -> dict[str, Any]:
    """A session as whoever began it sees it, this once with its text."""
    info, text = begun
    response.headers["cache-control"] = "no-store"
    return {
        "object": "session",
        "id": info.id,
        "token": text,
        "person": info.person,
        "owner": info.person is None,
        "scopes": list(info.scopes),
        "way": info.way,
        "expires_at": info.expires_at,
    }
