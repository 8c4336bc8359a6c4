"""A small OpenID provider: discovery, authorization code with PKCE, signed ID tokens, userinfo.

It knows one client, and lets in whoever `claims` says, without asking for a password.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "rankloop", "the client's secret"
Claims = dict[str, Any]


def as_it_is(claims: Claims) -> Claims:
    return claims


class OpenIdProvider:
    """`claims` are the next person's; `alter` changes an ID token before it is signed, by `key` and
    `header`; what `only_userinfo` names is not in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.published = RSAKey.generate_key(2048, {"kid": "1"})
        self.codes: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, Claims] = {}
        self.reset()
        self.app = FastAPI()
        for path, method, act in (
            ("/.well-known/openid-configuration", "GET", self.discovery),
            ("/authorize", "GET", self.authorize),
            ("/token", "POST", self.token),
            ("/jwks", "GET", self.jwks),
            ("/userinfo", "GET", self.userinfo),
        ):
            self.app.add_api_route(path, act, methods=[method], response_model=None)

    def reset(self) -> None:
        self.claims: Claims = {
            "sub": "17",
            "preferred_username": "ada",
            "groups": ["labelers", "staff"],
        }
        self.alter: Callable[[Claims], Claims] = as_it_is
        self.key: Any = self.published
        self.header: dict[str, str] = {"alg": "RS256", "kid": "1"}
        self.only_userinfo: frozenset[str] = frozenset()

    async def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }

    async def authorize(self, request: Request) -> Response:
        asked = request.query_params
        right = asked["client_id"] == CLIENT and asked["response_type"] == "code"
        if not right or asked["code_challenge_method"] != "S256" or "openid" not in asked["scope"]:
            return JSONResponse({"error": "invalid_request"}, 400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "who": dict(self.claims)}
        told = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{told}", 302)

    async def token(self, request: Request) -> Response:
        form = await request.form()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self.codes.pop(str(form["code"]), None)
        if asked is None or not proves(str(form.get("code_verifier")), asked["code_challenge"]):
            return JSONResponse({"error": "invalid_grant"}, 400)
        if form["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        access, at = secrets.token_urlsafe(16), int(time.time())
        self.tokens[access] = asked["who"]
        told = {name: v for name, v in asked["who"].items() if name not in self.only_userinfo}
        told |= {"iss": self.url, "aud": CLIENT, "iat": at, "exp": at + 300}
        told["nonce"] = asked["nonce"]
        signed = encoded(self.header, self.alter(told), self.key)
        answer = {"access_token": access, "token_type": "Bearer", "id_token": signed}
        return JSONResponse({**answer, "expires_in": 300})

    async def jwks(self) -> dict[str, Any]:
        return {"keys": [self.published.as_dict(private=False)]}

    async def userinfo(self, request: Request) -> Response:
        kind, _, access = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or access not in self.tokens:
            return JSONResponse({"error": "invalid_token"}, 401)
        return JSONResponse(self.tokens[access])


def encoded(header: dict[str, str], claims: Claims, key: Any) -> str:
    """An ID token; by the algorithm "none" without a signature, which no library makes."""
    if header["alg"] != "none":
        return jwt.encode(header, claims, key, algorithms=[header["alg"]])
    parts = (json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def proves(verifier: str, challenge: str) -> bool:
    """PKCE: the challenge is the verifier's SHA-256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


@contextmanager
def openid_provider() -> Iterator[OpenIdProvider]:
    """Serves until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        provider = OpenIdProvider(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(provider.app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield provider
        finally:
            server.should_exit = True
            thread.join()
