"""What a version folder says of itself: manifest.json.

It names every file of a version by size and sha256, and where the version came from. It knows how
to describe a folder, not where versions are kept or how they are published.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# The files of a starting model's folder that decide what it says. Its model card may change.
_BASE_FILES = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors")


@dataclass(frozen=True)
class FileEntry:
    """One file's content; `size` in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What a version is and where it came from.

    `base` is the starting model's name (v0's own) and `base_digest` its digest; `reward_digest` is
    that of the reward model that taught it; `revision` the code's. `created_at` in Unix seconds.
    """

    id: str
    kind: str  # base | full | adapter | reward
    parent: str | None
    base: str
    base_digest: str
    reward_digest: str | None
    round: int | None
    settings: Mapping[str, Any]
    revision: str
    created_at: float
    files: Mapping[str, FileEntry] = field(repr=False)

    @property
    def digest(self) -> str:
        """The content's sha256: of the files' names, sizes and hashes, and of nothing else."""
        return digest(self.files)

    def text(self) -> str:
        """The manifest as it is written."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """Raises ValueError, KeyError or TypeError on anything but a manifest."""
        fields = json.loads(text)
        files = {name: FileEntry(**entry) for name, entry in fields.pop("files").items()}
        return cls(**fields, files=files)


def describe(folder: Path, names: Iterable[str]) -> dict[str, FileEntry]:
    """The entries of these files, by name."""
    return {
        name: FileEntry(sha256(folder / name), (folder / name).stat().st_size)
        for name in sorted(names)
    }


def digest(files: Mapping[str, FileEntry]) -> str:
    """The sha256 of a listing."""
    listing = sorted((name, entry.sha256, entry.size) for name, entry in files.items())
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The hash of one file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def revision() -> str:
    """The git revision of a checkout, "-dirty" after it if files differ; else the release."""
    checkout = Path(__file__).parent.parent
    if (checkout / ".git").exists() and shutil.which("git"):
        command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        result = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return result.stdout.strip()
    try:
        return version("rankloop")
    except PackageNotFoundError:
        return "unknown"


def base_manifest(model: str, folder: Path) -> Manifest:
    """What v0's says where its model is this."""
    names = {path.name for pattern in _BASE_FILES for path in folder.glob(pattern)}
    files = describe(folder, names - {"manifest.json"})
    return Manifest(
        id="v0",
        kind="base",
        parent=None,
        base=_absolute(model),
        base_digest=digest(files),
        reward_digest=None,
        round=None,
        settings={},
        revision=revision(),
        created_at=time.time(),
        files=files,
    )


def _absolute(model: str) -> str:
    """A folder's name must mean the same from every working directory."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if model != "builtin" and folder.is_dir() else model
