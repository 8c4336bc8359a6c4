"""A data folder on a disk of its own, small enough to be filled."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.ground import Folder

SIZE = "64m"
CHUNK = bytes(4096)


@dataclass
class Disk:
    """What fills it lies in one file."""

    root: Path

    @property
    def _filler(self) -> Path:
        return self.root / "filler"

    def fill(self) -> None:
        """To its last byte."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while file.write(CHUNK):
                    pass
            except OSError:
                return

    def empty(self) -> None:
        """As it was before."""
        self._filler.unlink()


@contextmanager
def on_a_small_disk(folder: Folder) -> Iterator[tuple[Folder, Disk]]:
    """A copy on a tmpfs, which takes the right to mount one. Raises CalledProcessError."""
    at = Folder(folder.root, "small")
    at.data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(at.data)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        shutil.copytree(folder.data, at.data, dirs_exist_ok=True)
        yield at, Disk(at.data)
    finally:
        at.close()
        subprocess.run(["umount", "--lazy", str(at.data)], check=True)
        at.data.rmdir()
