"""What can be set about version folders."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from policy.place import Place


class VersionSettings(BaseModel):
    """The `versions` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(
        default=None,
        description="Where versions are kept, for servers and learners on several machines: a"
        " folder that all of them see, or an address of fsspec's such as s3://BUCKET/NAME, of which"
        " the data folder keeps copies. Without it `versions` in the data folder.",
    )

    def place(self, data: Path) -> Place:
        """The place that is set, for a process with this data folder."""
        if self.url is None:
            return Place(data / "versions")
        if "://" not in self.url:
            return Place(Path(self.url))
        return Place(data / "fetched", self.url)
