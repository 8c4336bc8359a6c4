"""Version folders: publish, verify, load, remove.

1. `versions/v7/` is a Hugging Face model folder with one file more, manifest.json, which names
   every other file by size and sha256: safetensors loads a flipped bit without a word.
2. A folder is written beside, synced, hashed, given its manifest last and renamed into place. What
   a killed publish or removal left behind is no version; the next publish removes it.
3. v0 is the starting model: its manifest lists the files where they stand and copies none. Reward
   models ("r7") are folders of the same form.
4. A version may be an adapter over v0: its folder holds peft's two files, and it speaks by v0's
   tokenizer and chat template.

A folder whose manifest does not verify does not exist. It knows nothing of which version serves.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policy import durable
from policy.lock import locked
from policy.manifest import FileEntry, Manifest, base_manifest, describe, revision, sha256
from policy.source import ModelNotFound, resolve
from policy.version_errors import CorruptVersion, UnknownVersion, VersionExists, WrongModel
from rankloop_faults import point

if TYPE_CHECKING:
    import torch

    from policy.model import Model

__all__ = [
    "CorruptVersion",
    "FileEntry",
    "Manifest",
    "UnknownVersion",
    "VersionExists",
    "Versions",
    "WrongModel",
]

ID = re.compile(r"[vr](0|[1-9][0-9]*)")


class Versions:
    """The version folders under `root`; several processes may share them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def name(self) -> str:
        """Where they are, for people."""
        return str(self.root)

    def ids(self) -> list[str]:
        """Published versions, v0, v1, ... then r1, ...; none is verified by this."""
        found = [path.parent.name for path in self.root.glob("*/manifest.json")]
        return in_order(found)

    def read(self, id: str) -> Manifest:
        """The manifest as it stands, its files unchecked. Raises UnknownVersion, CorruptVersion."""
        text = self._text(id) if ID.fullmatch(id) else None
        if text is None:
            raise UnknownVersion(id)
        try:
            manifest = Manifest.parse(text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptVersion(id, "manifest.json", "is no manifest") from error
        if manifest.id != id:
            raise CorruptVersion(id, "manifest.json", f"is that of {manifest.id}")
        return manifest

    def folder(self, id: str) -> Path:
        """A folder that `from_pretrained` loads, peft's for an adapter; for v0 the model's own.
        Raises UnknownVersion, and CorruptVersion where v0's model is gone."""
        manifest = self.read(id)
        if manifest.kind != "base":
            return self._own(manifest)
        try:
            return resolve(manifest.base)
        except ModelNotFound as error:
            raise CorruptVersion(id, manifest.base, f"is gone ({error})") from error

    def base_of(self, id: str) -> str | None:
        """The version whose tensors an adapter lies over, and whose tokenizer and template it
        speaks by; None of one that stands alone. Raises UnknownVersion, CorruptVersion."""
        return "v0" if self.read(id).kind == "adapter" else None

    def verify(self, id: str) -> Manifest:
        """Reads every file again. Raises UnknownVersion or CorruptVersion."""
        manifest = self.read(id)
        if manifest.kind == "adapter" and manifest.base_digest != self.read("v0").digest:
            raise CorruptVersion(id, "manifest.json", "names another base than v0")
        self.verify_files(manifest, self.folder(id))
        return manifest

    @staticmethod
    def verify_files(manifest: Manifest, folder: Path) -> None:
        """Reads a folder's files. Raises CorruptVersion where they are not the manifest's."""
        id = manifest.id
        for name, entry in manifest.files.items():
            path = folder / name
            if not path.is_file():
                raise CorruptVersion(id, name, "is missing")
            if path.stat().st_size != entry.size:
                raise CorruptVersion(id, name, f"has {path.stat().st_size} bytes, not {entry.size}")
            if sha256(path) != entry.sha256:
                raise CorruptVersion(id, name, "has other content (sha256)")
        if manifest.kind != "base":
            for name in sorted(_all_files(folder) - {"manifest.json", *manifest.files}):
                raise CorruptVersion(id, name, "is not in the manifest")

    def load(
        self,
        id: str,
        *,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
        frozen: bool = False,
        base: Model | None = None,
    ) -> Model:
        """Verifies and loads a version that answers; an adapter on the tensors of `base`, v0's
        model, which is loaded for it if it is not given. `dtype` and `frozen` as for
        policy.model.load. Raises UnknownVersion, CorruptVersion, UnsupportedModel."""
        manifest = self.verify(id)
        assert manifest.kind != "reward", "a reward model scores and answers nobody"
        # torch's import: most of a version's life needs none
        from policy.model import load, load_adapter

        if manifest.kind != "adapter":
            folder = self.folder(id)
            return load(folder, name=id, device=device, dtype=dtype, frozen=frozen)
        base = base or self.load("v0", device=device, dtype=dtype, frozen=True)
        return load_adapter(self.folder(id), base, name=id)

    def install_base(self, model: str) -> Manifest:
        """Makes `model` this data folder's v0, or checks that it is. The same files under a new
        name (a moved folder) are the same model. Raises ModelNotFound, UnsupportedModel,
        WrongModel, CorruptVersion."""
        folder = resolve(model)
        asked = base_manifest(model, folder)
        installed = self.read("v0") if "v0" in self.ids() else None
        if installed and (installed.digest, installed.base) == (asked.digest, asked.base):
            return installed  # whoever publishes just now is not waited for
        with self._publishing():
            if "v0" not in self.ids():
                from policy.model import supported

                supported(folder, model)  # a data folder is not bound to what it cannot serve
                with suppress(VersionExists):  # another machine was quicker
                    return self._place(asked, lambda folder: None)
            installed = self.read("v0")
            if installed.digest != asked.digest:
                raise WrongModel(self.name, installed, asked)
            moved = replace(installed, base=asked.base)
            self._rewrite(moved)
            return moved

    def clear(self) -> None:
        """Removes what killed publications and removals left behind."""
        with self._publishing():
            pass

    def publish(
        self,
        id: str,
        model: Model | Callable[[Path], object],
        *,
        kind: str,
        parent: str | None,
        round: int | None,
        reward_digest: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Manifest:
        """Writes a version and makes it exist, all of it or nothing.

        `model` is a Model, or a function that saves one in the folder that it is given. `settings`
        is what a reader needs to train it again, as JSON. Raises VersionExists, and
        UnknownVersion without a v0.
        """
        assert ID.fullmatch(id), f"{id!r} is no version id"
        assert kind in ("full", "adapter", "reward"), f"{kind!r} is no kind of published version"
        if id in self.ids():
            raise VersionExists(id)
        base = self.read("v0")
        manifest = Manifest(
            id=id,
            kind=kind,
            parent=parent,
            base=base.base,
            base_digest=base.digest,
            reward_digest=reward_digest,
            round=round,
            settings=dict(settings or {}),
            revision=revision(),
            created_at=time.time(),
            files={},
        )
        with self._publishing():
            return self._place(manifest, model if callable(model) else _saver(model))

    def remove(self, id: str) -> None:
        """Deletes a version; the manifest goes first, so that half a folder is none. v0 stays."""
        assert id != "v0", "v0 is what every version is measured against"
        self.read(id)
        with self._publishing():
            self._remove(id)

    def adopt(self, folder: Path) -> Manifest:
        """Takes in a version that was published elsewhere, as it is: its folder is copied. Raises
        VersionExists, and CorruptVersion of one that is not whole."""
        elsewhere = Versions(folder.parent)
        manifest = elsewhere.read(folder.name)
        if manifest.id in self.ids():
            raise VersionExists(manifest.id)
        if manifest.kind != "base":
            elsewhere.verify_files(manifest, folder)
        with self._publishing():
            beside = self.root / f"{durable.BESIDE}{manifest.id}"
            shutil.copytree(folder, beside)
            for path in beside.rglob("*"):
                durable.sync(path)
            self._put(beside, manifest)
            durable.sync(self.root)
        return manifest

    # Where they are kept: `policy.remote` has it otherwise.

    def _text(self, id: str) -> str | None:
        """A manifest as it is written; None where there is none."""
        path = self.root / id / "manifest.json"
        return path.read_text() if path.is_file() else None

    def _own(self, manifest: Manifest) -> Path:
        """The folder with the version's files."""
        return self.root / manifest.id

    def _rewrite(self, manifest: Manifest) -> None:
        """Puts a manifest into another's place."""
        durable.write(self.root / manifest.id / "manifest.json", manifest.text())

    def _remove(self, id: str) -> None:
        (self.root / id / "manifest.json").unlink()
        point("versions.remove")
        shutil.rmtree(self.root / id)

    def _put(self, finished: Path, manifest: Manifest) -> None:
        """Makes a folder that is whole a version, at once."""
        finished.rename(self.root / manifest.id)

    @contextmanager
    def _publishing(self) -> Iterator[None]:
        """One writer at a time over all processes. What one that stalled was writing is removed: it
        wakes up and finds nothing to put into place.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root / ".lock"):
            for leftover in self._leftovers():
                shutil.rmtree(leftover)
            yield

    def _leftovers(self) -> list[Path]:
        """Folders that were never finished, or are half removed. Needs the lock."""
        halves = [path for path in self.root.iterdir() if ID.fullmatch(path.name)]
        halves = [path for path in halves if not (path / "manifest.json").exists()]
        return [*self.root.glob(f"{durable.BESIDE}*"), *halves]

    def _place(self, manifest: Manifest, save: Callable[[Path], object]) -> Manifest:
        """Saves beside, syncs, hashes, writes the manifest and renames. Needs the lock."""
        tmp = Path(tempfile.mkdtemp(prefix=f"{durable.BESIDE}{manifest.id}-", dir=self.root))
        try:
            tmp.chmod(0o755)  # mkdtemp's folders are closed to everybody else
            save(tmp)
            point("versions.save")
            manifest = _sealed(tmp, manifest)
            point("versions.rename")
            self._put(tmp, manifest)
        finally:
            shutil.rmtree(tmp, ignore_errors=True)  # nothing is there unless something failed
        point("versions.placed")
        durable.sync(self.root)
        return manifest


def _sealed(folder: Path, manifest: Manifest) -> Manifest:
    """Syncs what was saved, hashes it, and writes the manifest last."""
    names = _all_files(folder)
    assert "manifest.json" not in names, "the manifest is written here"
    for name in names:
        durable.sync(folder / name)
    if manifest.kind != "base":
        manifest = replace(manifest, files=describe(folder, names))
    for part in {(folder / name).parent for name in names}:
        durable.sync(part)
    point("versions.manifest")
    durable.write(folder / "manifest.json", manifest.text())
    return manifest


def _saver(model: Model) -> Callable[[Path], None]:
    def save(folder: Path) -> None:
        from policy import adapters

        if adapters.adapted(model.net):
            adapters.save(model.net, folder)
            return
        model.net.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)

    return save


def in_order(names: Iterable[str]) -> list[str]:
    """Those that are ids: v0, v1, ... then r1, ..."""
    return sorted(filter(ID.fullmatch, names), key=lambda id: (id[0] != "v", int(id[1:])))


def _all_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
