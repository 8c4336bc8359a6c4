"""Version folders in an object store, or anything else that fsspec has a file system for.

1. The store is laid out as a folder of versions is: `<url>/v7/model.safetensors`, and the manifest,
   which is written last: what a killed upload left is no version.
2. A version is used from a copy, `<folder>/<digest>/`: fetched once, checked against its sha256s
   while nothing yet uses it, and shared by all processes with that folder. A copy that has gone bad
   is fetched again: a broken disk here is no reason to call the version broken.
3. What a version is, the store alone says; copies may be deleted at any time.

There is no lock over machines. One learner publishes at a time, by the record's lease, and an id is
never given twice; whatever one that lost its lease still writes is no version of the record.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from policy.manifest import Manifest, sha256
from policy.version_errors import CorruptVersion, StoreAway, UnusablePlace, VersionExists
from policy.versions import ID, Versions, in_order
from rankloop_faults import point

T = TypeVar("T")

FETCHING = ".get-"
"""How the name of a copy begins that is not whole yet."""

ABANDONED_S = 86400.0
"""So long after its last file began, whoever fetched is dead."""


class RemoteVersions(Versions):
    """The versions at `url`; `root` holds copies. Raises StoreAway, an OSError, from any method
    while the store cannot be reached.
    """

    def __init__(self, url: str, root: Path) -> None:
        super().__init__(root)
        self.url = url.rstrip("/")
        self._files, self._path = _file_system(self.url)

    @property
    def name(self) -> str:
        """The address, without who may go in there."""
        return re.sub(r"//[^/@]*@", "//", self.url)

    def ids(self) -> list[str]:
        return in_order(id for id in self._folders() if self._has(id))

    def verify(self, id: str) -> Manifest:
        """As ever; a copy that has gone bad is fetched once more."""
        try:
            return super().verify(id)
        except CorruptVersion:
            manifest = self.read(id)
            copy = self.root / manifest.digest
            if manifest.kind == "base" or not copy.exists():
                raise
            shutil.rmtree(copy)
            return super().verify(id)

    # Where they are kept.

    def _text(self, id: str) -> str | None:
        try:
            found: bytes = self._ask(self._files.cat_file, self._at(id, "manifest.json"))
        except FileNotFoundError:
            return None
        return found.decode(errors="replace")

    def _own(self, manifest: Manifest) -> Path:
        copy = self.root / manifest.digest
        if not (copy / "manifest.json").is_file():
            self._fetch(manifest, copy)
        return copy

    def _fetch(self, manifest: Manifest, copy: Path) -> None:
        """Copies a version, and shows it only when each file is what the manifest says."""
        self.root.mkdir(parents=True, exist_ok=True)
        for left in self.root.glob(f"{FETCHING}*"):
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)
        beside = Path(tempfile.mkdtemp(prefix=f"{FETCHING}{manifest.id}-", dir=self.root))
        try:
            for name, entry in manifest.files.items():
                file = beside / name
                file.parent.mkdir(parents=True, exist_ok=True)
                self._get(manifest.id, name, file)
                if (file.stat().st_size, sha256(file)) != (entry.size, entry.sha256):
                    raise CorruptVersion(manifest.id, name, "has other content (sha256)")
            point("remote.fetched")
            (beside / "manifest.json").write_text(manifest.text())
            self._show(beside, copy)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _get(self, id: str, name: str, file: Path) -> None:
        try:
            self._ask(self._files.get_file, self._at(id, name), str(file))
        except FileNotFoundError:
            raise CorruptVersion(id, name, "is missing") from None

    def _show(self, beside: Path, copy: Path) -> None:
        """Another process may have fetched the same meanwhile: then its copy is as good."""
        try:
            beside.chmod(0o755)
            beside.rename(copy)
        except OSError:
            if not (copy / "manifest.json").is_file():
                raise

    def _put(self, finished: Path, manifest: Manifest) -> None:
        """Uploads the whole, its manifest last, and keeps what was made as the copy."""
        files = (path for path in finished.rglob("*") if path.is_file())
        for path in sorted(files):
            name = str(path.relative_to(finished))
            if name != "manifest.json":
                self._ask(self._files.put_file, str(path), self._at(manifest.id, name))
        point("remote.manifest")
        self._write(manifest, mode="create")
        if manifest.kind != "base":
            self._show(finished, self.root / manifest.digest)

    def _rewrite(self, manifest: Manifest) -> None:
        self._write(manifest, mode="overwrite")

    def _write(self, manifest: Manifest, mode: str) -> None:
        at, text = self._at(manifest.id, "manifest.json"), manifest.text().encode()
        try:
            self._ask(self._files.pipe_file, at, text, mode=mode)
        except FileExistsError:
            raise VersionExists(manifest.id) from None

    def _remove(self, id: str) -> None:
        copy = self.root / self.read(id).digest
        self._ask(self._files.rm_file, self._at(id, "manifest.json"))
        point("versions.remove")
        self._clear(id)
        shutil.rmtree(copy, ignore_errors=True)  # only this machine's

    def _clear(self, id: str) -> None:
        # An object store's folder is gone with its last file.
        with suppress(FileNotFoundError):
            self._ask(self._files.rm, f"{self._path}/{id}", recursive=True)

    @contextmanager
    def _publishing(self) -> Iterator[None]:
        with super()._publishing():
            for id in self._folders():
                if not self._has(id):
                    self._clear(id)
            yield

    def _folders(self) -> list[str]:
        """Ids of which there is anything, as the store has it now."""
        self._files.invalidate_cache()
        try:
            found: list[str] = self._ask(self._files.ls, self._path, detail=False)
        except FileNotFoundError:
            return []
        names = (path.rstrip("/").rpartition("/")[2] for path in found)
        return [name for name in names if ID.fullmatch(name)]

    def _has(self, id: str) -> bool:
        there: bool = self._ask(self._files.exists, self._at(id, "manifest.json"))
        return there

    def _at(self, id: str, name: str) -> str:
        return f"{self._path}/{id}/{name}"

    def _ask(self, act: Callable[..., T], *arguments: object, **options: object) -> T:
        """Each store's library has errors of its own."""
        try:
            return act(*arguments, **options)
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            raise StoreAway(self.name, error) from error


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's, and the path in it. Raises UnusablePlace."""
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        files, path = url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise UnusablePlace(url, str(error)) from error
    if files.protocol in ("file", ("file", "local")):
        files.auto_mkdir = True
    return files, path
