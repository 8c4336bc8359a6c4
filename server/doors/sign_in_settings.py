"""What can be set about people who sign in."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, Json, SecretStr, model_validator

Scope = Literal["chat", "rank", "read", "operate", "admin"]
Admits = dict[str, tuple[Scope, ...]]


class SignInSettings(BaseModel):
    """The `server.sign_in` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_days: float = Field(
        default=14.0,
        gt=0,
        le=400,
        description="Days after which somebody who signed in has to do so again.",
    )
    tries_per_name: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Times in any minute that anybody may try to sign in by one name, right or"
        " wrong, over all servers of the database.",
    )
    tries_per_address: int = Field(
        default=60,
        ge=1,
        le=100_000,
        description="The same from one address, whatever the names: as many as sit behind it.",
    )


class OidcSettings(BaseModel):
    """The `server.oidc` section: people sign in where they have an account already."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#]+[^?#]*$",
        description="Address of an OpenID provider that people may sign in at; needs the extra"
        " `oidc`.",
    )
    client_id: str = Field(
        default="", description="What the provider knows this service as; needed with `issuer`."
    )
    client_secret: SecretStr | None = Field(
        default=None,
        description="What this service shows the provider: best by a file, whose name is in the"
        " variable with `_FILE`. Without one it is a public client.",
    )
    label: str = Field(default="OpenID", description="What the page calls the provider.")
    asks_for: str = Field(
        default="openid profile email",
        description="OpenID scopes that are asked for: those that the claims come with.",
    )
    name: str = Field(
        default="preferred_username",
        description="Claim that a person is called by from their first sign-in on.",
    )
    claim: str = Field(default="groups", description="Claim that says who may come in.")
    admits: Admits | Json[Admits] = Field(
        default={},
        description="The scopes of ours that each value of `claim` gives, as"
        ' `{"labelers": ["chat", "rank"]}`; whoever has none of the values stays outside.',
    )

    @model_validator(mode="after")
    def _is_whole(self) -> OidcSettings:
        if self.issuer is not None and not self.client_id:
            raise ValueError("issuer is set and client_id is not")
        if self.issuer is not None and not self.admits:
            raise ValueError("issuer is set and admits lets nobody in: say which values of `claim`")
        return self
