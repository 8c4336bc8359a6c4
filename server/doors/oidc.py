"""One OpenID provider, by authlib: the authorization code flow with PKCE and a nonce.

Where things are it says itself (discovery). Who somebody is stands in the signed ID token; what
that lacks of the two claims that count is asked of the provider, for the same subject.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ..errors import ApiError, unready
from .sign_in_settings import OidcSettings

log = logging.getLogger(__name__)

SIGNED_BY = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}) | frozenset(
    {"ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""Signatures that only the provider can make: none by a shared secret, and never none at all."""
ENDPOINTS = frozenset({"authorization_endpoint", "token_endpoint", "jwks_uri"})
CLOCKS_DIFFER_S = 60
ANSWER_S = 10.0


class NeedsAuthlib(SystemExit):
    """A provider is set and the library is missing. Its text is the line to type."""

    def __init__(self) -> None:
        super().__init__("server.oidc.issuer needs authlib. Type:\npip install 'rankloop[oidc]'")


@dataclass(frozen=True)
class Somebody:
    """Whom the provider let in: an unchanging name for them, what they are called, what they may
    do here."""

    subject: str
    name: str
    scopes: tuple[str, ...]


def provider_of(settings: OidcSettings) -> Provider | None:
    """The provider that is set, if one is. Raises NeedsAuthlib."""
    if settings.issuer is None:
        return None
    if find_spec("authlib") is None or find_spec("joserfc") is None:
        raise NeedsAuthlib
    return Provider(settings)


class Provider:
    """What it is asked and what is made of its answers; where it is is looked up once."""

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        self._metadata: dict[str, Any] | None = None

    async def begin(self, redirect_uri: str) -> dict[str, str]:
        """`url` to send a browser to, and `state`, `nonce` and `verifier` to keep. Raises ApiError
        while the provider does not answer."""
        metadata = await self._found()
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        async with self._client(redirect_uri) as client:
            url, state = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=secrets.token_urlsafe(32),
                nonce=nonce,
                code_verifier=verifier,
            )
        return {"url": url, "state": state, "nonce": nonce, "verifier": verifier}

    async def end(self, redirect_uri: str, code: str, nonce: str, verifier: str) -> Somebody:
        """Who came back with this code. Raises ApiError: 401 for a code that is none or an ID token
        that does not hold, 403 for somebody who may not come in."""
        from authlib.common.errors import AuthlibBaseError
        from joserfc.errors import JoseError

        metadata = await self._found()
        async with self._client(redirect_uri) as client, _asked():
            try:
                token = await client.fetch_token(
                    metadata["token_endpoint"], code=code, code_verifier=verifier
                )
                claims = await self._claims(client, token, nonce)
            except (AuthlibBaseError, JoseError, ValueError, KeyError) as error:
                # What is wrong with a token is its sender's business, not the browser's.
                told = f"The OpenID provider's answer does not hold: {type(error).__name__}."
                raise ApiError(401, told, code="not_admitted") from None
            claims |= await self._lacking(client, metadata, claims)
        return self._somebody(claims)

    async def _claims(self, client: Any, token: dict[str, Any], nonce: str) -> dict[str, Any]:
        """The ID token's, once its signature, issuer, audience, times and nonce are found right."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.jwk import KeySet

        metadata = await self._found()
        published: Any = await _json(client, metadata["jwks_uri"])
        keys = KeySet.import_key_set(published)
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        allowed = sorted(SIGNED_BY.intersection(offered))
        if not allowed:  # an empty list would be taken for none, and so for any
            raise ValueError("no signature that the provider alone can make")
        decoded = jwt.decode(token["id_token"], keys, algorithms=allowed)
        options = {
            "iss": {"essential": True, "value": metadata["issuer"]},
            "aud": {"essential": True, "value": self.settings.client_id},
        }
        params = {
            "nonce": nonce,
            "client_id": self.settings.client_id,
            "access_token": token.get("access_token"),
        }
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(leeway=CLOCKS_DIFFER_S)
        return dict(claims)

    async def _lacking(
        self, client: Any, metadata: dict[str, Any], claims: dict[str, Any]
    ) -> dict[str, Any]:
        """What of the claims that count the ID token does not say."""
        wanted = {self.settings.name, self.settings.claim}
        endpoint = metadata.get("userinfo_endpoint")
        if wanted <= claims.keys() or endpoint is None:
            return {}
        said = await _json(client, endpoint, withhold_token=False)
        if said.get("sub") != claims["sub"]:
            return {}
        return {name: said[name] for name in (wanted | {"email_verified"}) & said.keys()}

    def _somebody(self, claims: dict[str, Any]) -> Somebody:
        settings = self.settings
        unproven = claims.get("email_verified") is not True
        if unproven and "email" in (settings.name, settings.claim):
            raise ApiError(403, "Your address is not verified there.", code="not_admitted")
        scopes = {
            scope
            for value in _values(claims.get(settings.claim))
            for scope in settings.admits.get(value, ())
        }
        name = claims.get(settings.name)
        if not scopes or not isinstance(name, str) or not name:
            told = f"{settings.label} knows you, but you may not come in here."
            raise ApiError(403, told, code="not_admitted")
        return Somebody(f"{claims['iss']} {claims['sub']}", name, tuple(sorted(scopes)))

    async def _found(self) -> dict[str, Any]:
        """What the provider says of itself. Raises ApiError while it does not answer."""
        if self._metadata is None:
            assert self.settings.issuer is not None
            at = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            async with self._client("") as client, _asked():
                found = await _json(client, at)
            if str(found.get("issuer")).rstrip("/") != self.settings.issuer.rstrip("/"):
                raise unready("The OpenID provider says that it is another.")
            if not found.keys() >= ENDPOINTS:
                raise unready("The OpenID provider does not say where it is.")
            self._metadata = found
        return self._metadata

    def _client(self, redirect_uri: str) -> Any:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        secret = self.settings.client_secret
        return AsyncOAuth2Client(
            self.settings.client_id,
            None if secret is None else secret.get_secret_value(),
            token_endpoint_auth_method="none" if secret is None else "client_secret_basic",
            scope=self.settings.asks_for,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=ANSWER_S,
        )


@asynccontextmanager
async def _asked() -> AsyncIterator[None]:
    """Turns a provider that does not answer into an ApiError."""
    from httpx2 import HTTPError

    try:
        yield
    except HTTPError as error:
        log.warning("the OpenID provider does not answer: %s", type(error).__name__)
        raise unready("The OpenID provider does not answer.", 5) from None


async def _json(client: Any, url: str, *, withhold_token: bool = True) -> dict[str, Any]:
    answer = await client.request("GET", url, withhold_token=withhold_token)
    answer.raise_for_status()
    found = answer.json()
    return found if isinstance(found, dict) else {}


def _values(claim: object) -> Iterable[str]:
    """A claim of one value, or of several."""
    several = claim if isinstance(claim, list) else [claim]
    return (value for value in several if isinstance(value, str))
