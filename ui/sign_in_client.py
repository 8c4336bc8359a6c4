"""The calls that the page makes about who signs in, and what it knows of who has."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel

from ui.client import ApiError, Client, Refused
from ui.visitor import Visitor

WAYS_KEPT_S = 2.0
VISITOR_KEPT_S = 1.0
"""Together with what the server keeps, three seconds: then a session that was ended is over."""
MOST_KEPT = 4096


class Ways(BaseModel):
    """Whether one has to sign in, and how one may; `label` is what a provider is called."""

    needed: bool
    ways: list[str] = []
    label: str | None = None


class Session(BaseModel):
    """One that has begun; `token` is its text."""

    token: str
    person: str | None
    owner: bool
    expires_at: float


class Begun(BaseModel):
    """Where the browser goes to sign in by OpenID, and what it keeps until it is back."""

    url: str
    state: str
    nonce: str
    verifier: str


class SignInClient:
    """On top of a client, whose failures it raises. `shut`: whether one has to sign in for all that
    this process knows, while the server has not said."""

    def __init__(self, client: Client, *, shut: bool) -> None:
        self._client = client
        self._ways, self._asked_at = Ways(needed=shut), float("-inf")
        self._visitors: dict[str, tuple[float, Visitor]] = {}

    async def ways(self) -> Ways:
        """As the server says, or said when it last answered."""
        if time.monotonic() - self._asked_at > WAYS_KEPT_S:
            try:
                self._ways = Ways.model_validate(await self._client.get("/v1/sessions/ways"))
            except ApiError:
                return self._ways
            self._asked_at = time.monotonic()
        return self._ways

    async def visitor(self, token: str | None) -> Visitor | None:
        """Whose session it is, if it is good. While the server does not answer whoever was known
        stays: it is the server that lets them do anything."""
        if token is None:
            return None
        at, known = self._visitors.get(token, (float("-inf"), None))
        if time.monotonic() - at <= VISITOR_KEPT_S:
            return known
        try:
            found = _visitor(token, await self._client.get("/v1/me", token=token))
        except Refused as refusal:
            if refusal.status != 401:
                return known
            self.forget(token)
            return None
        except ApiError:
            return known
        if len(self._visitors) >= MOST_KEPT:
            self._visitors.clear()
        self._visitors[token] = (time.monotonic(), found)
        return found

    def forget(self, token: str) -> None:
        self._visitors.pop(token, None)

    async def sign_in(self, name: str, password: str, address: str) -> Session:
        body = {"name": name, "password": password}
        return await self._begin("/v1/sessions", body, address)

    async def redeem(self, invitation: str, password: str, address: str) -> Session:
        body = {"invitation": invitation, "password": password}
        return await self._begin("/v1/invitations", body, address)

    async def change_password(self, token: str, old: str, new: str, address: str) -> Session:
        """The session that takes the place of this one and of all others of the person."""
        body = {"old": old, "new": new}
        answer = await self._client.send(
            "PUT", "/v1/me/password", body, token=token, address=address
        )
        self.forget(token)
        return Session.model_validate(answer)

    async def sign_out(self, token: str) -> None:
        self.forget(token)
        await self._client.send("DELETE", "/v1/sessions/current", None, token=token)

    async def begin_openid(self, redirect_uri: str, address: str) -> Begun:
        answer = await self._client.send(
            "POST", "/v1/sessions/openid/begin", {"redirect_uri": redirect_uri}, address=address
        )
        return Begun.model_validate(answer)

    async def end_openid(self, kept: dict[str, str], code: str, address: str) -> Session:
        """`kept`: redirect_uri, nonce and verifier of the beginning."""
        return await self._begin("/v1/sessions/openid", {**kept, "code": code}, address)

    async def _begin(self, path: str, body: dict[str, Any], address: str) -> Session:
        return Session.model_validate(await self._client.send("POST", path, body, address=address))


def _visitor(token: str, me: dict[str, Any]) -> Visitor:
    return Visitor(
        person=me["person"],
        owner=me["owner"],
        scopes=frozenset(me["scopes"]),
        token=token,
        way=me["way"],
    )
