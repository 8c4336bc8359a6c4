"""What can be set about requests per minute."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LimitSettings(BaseModel):
    """The `server.limits` section. Off by default: who has the machine to themselves, and a page
    that asks for many people from one address, are not to be slowed down unasked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_person: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Requests that a person may make in any minute, over all servers of the"
        " database; 0 is no limit.",
    )
    per_address: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="The same for an address, whoever asks from there; an IPv6 network of 64 bits"
        " is one.",
    )
