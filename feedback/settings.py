"""Where the record is kept, and for how long."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class FeedbackSettings(BaseModel):
    """The `feedback` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which a conversation goes of which nobody has ranked, marked or"
        " demonstrated anything: texts, tokens and log-probabilities. Without it all is kept.",
    )


class DatabaseSettings(BaseModel):
    """The `database` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(
        default=None,
        description="Database address, for a server that several machines share: "
        "postgresql://user@host/name. Without one, a SQLite file in the data folder.",
    )

    def resolve(self, data: Path) -> str:
        """The address to open: the one set, else rankloop.db in the data folder."""
        return self.url or f"sqlite:///{data.absolute() / 'rankloop.db'}"
