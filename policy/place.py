"""Where versions are kept, by name: light enough to be set, and sent to another process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy.versions import Versions


@dataclass(frozen=True)
class Place:
    """A folder; or, with a `url`, an address of fsspec's, of which the folder keeps copies."""

    folder: Path
    url: str | None = None

    def open(self) -> Versions:
        """The versions there. Raises UnusablePlace for an address that no library here knows."""
        if self.url is None:
            from policy.versions import Versions

            return Versions(self.folder)
        from policy.remote import RemoteVersions

        return RemoteVersions(self.url, self.folder)
