"""Bodies of people who sign in. No message about them quotes what they hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from ..wire import Name, Wire

MOST = 1024
Password = Annotated[SecretStr, Field(max_length=MOST)]
Opaque = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Address = Annotated[str, StringConstraints(max_length=2048, pattern=r"^https?://[^/?#]+/[^?#]*$")]


class SignInRequest(Wire):
    """The body of POST /v1/sessions. The owner gives any name, and the key as the password."""

    name: Name
    password: Password


class InvitationRequest(Wire):
    """The body of POST /v1/invitations: the text of the link, and the password that is chosen."""

    invitation: Password
    password: Password


class PasswordRequest(Wire):
    """The body of PUT /v1/me/password."""

    old: Password
    new: Password


class OpenIdBegin(Wire):
    """The body of POST /v1/sessions/openid/begin: where the provider sends the browser back to."""

    redirect_uri: Address


class OpenIdEnd(Wire):
    """The body of POST /v1/sessions/openid: what the provider sent along, and what was kept of the
    beginning."""

    redirect_uri: Address
    code: Opaque
    nonce: Opaque
    verifier: Opaque
