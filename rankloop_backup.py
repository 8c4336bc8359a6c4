"""`rankloop backup` and `rankloop restore`: the record and every version in one tar archive.

1. The record comes first, as it was at one moment; then the folders of the versions that it names.
   They never change, so the two fit, whatever is written meanwhile: servers and learners may run.
   One whose files have been removed to make room is a row alone.
2. v0 goes in as its manifest: the model itself lies where `model` says.
3. The archive is written beside and renamed: a backup that was cut off is none.
4. A restore unpacks beside, checks every file against its sha256, and then moves it into place.
   What was there before, if that is allowed, is moved aside and never deleted.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from feedback import copying
from feedback.errors import StoreError
from feedback.store import Store
from policy import durable
from policy.version_errors import StoreAway, UnusablePlace
from policy.versions import CorruptVersion, UnknownVersion, Versions
from rankloop_move import still
from rankloop_settings import Settings, UserError

RECORD, VERSIONS = "rankloop.db", "versions"


def backup(settings: Settings, file: Path) -> int:
    """Writes the archive; how many versions it holds. Raises UserError."""
    versions = opened(settings)
    beside = file.with_name(f"{durable.BESIDE}{file.name}")
    with tempfile.TemporaryDirectory(prefix="rankloop-", dir=_folder_of(file)) as scratch:
        record = Path(scratch) / RECORD
        copying.save(settings.database.resolve(settings.data), record)
        ids = _ids(record)
        try:
            with tarfile.open(beside, "w") as archive:
                archive.add(record, RECORD)
                for id in ids:
                    _add(archive, versions, id, Path(scratch))
            durable.sync(beside)
            beside.rename(file)
        except (UnknownVersion, CorruptVersion, StoreAway) as error:
            raise UserError(f"what is on record is not there: {error}") from None
        finally:
            beside.unlink(missing_ok=True)
    durable.sync(file.absolute().parent)
    return len(ids)


def restore(settings: Settings, file: Path, *, replace: bool) -> int:
    """Unpacks an archive into the data folder; how many versions it held. Raises UserError."""
    data = settings.data
    data.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held, tempfile.TemporaryDirectory(prefix=".restore-", dir=data) as scratch:
        held.enter_context(still(data))
        there = [name for name in (RECORD, VERSIONS, "rounds") if (data / name).exists()]
        if there and not replace:
            raise UserError(f"{data} holds {', '.join(there)}; --replace moves that aside")
        elsewhere = _empty_elsewhere(settings)
        unpacked = Path(scratch)
        _unpack(file, unpacked)
        ids = _checked(unpacked)
        if there:
            _move_aside(data, there)
        try:
            copying.load(unpacked / RECORD, settings.database.resolve(data))
        except StoreError as error:
            raise UserError(f"{file}: {error.message}") from None
        if elsewhere is None:
            (unpacked / VERSIONS).rename(data / VERSIONS)
            durable.sync(data)
        else:
            for id in ids:
                elsewhere.adopt(unpacked / VERSIONS / id)
    return len(ids)


def _empty_elsewhere(settings: Settings) -> Versions | None:
    """The place that versions.url names, None without. Raises UserError where it holds any."""
    if settings.versions.url is None:
        return None
    versions = opened(settings)
    if versions.ids():
        raise UserError(f"{versions.name} holds {', '.join(versions.ids())}: remove those first")
    return versions


def opened(settings: Settings) -> Versions:
    """The versions that are set. Raises UserError."""
    try:
        return settings.versions.place(settings.data).open()
    except UnusablePlace as error:
        raise UserError(str(error)) from None


def _add(archive: tarfile.TarFile, versions: Versions, id: str, scratch: Path) -> None:
    """A version's folder; of v0, whose model lies elsewhere, what says which it is."""
    manifest = versions.read(id)
    if manifest.kind != "base":
        archive.add(versions.folder(id), f"{VERSIONS}/{id}")
        return
    file = scratch / "manifest.json"
    file.write_text(manifest.text())
    archive.add(file, f"{VERSIONS}/{id}/manifest.json")


def _folder_of(file: Path) -> Path:
    folder = file.absolute().parent
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    return folder


def _ids(record: Path) -> list[str]:
    """The versions that a record names, reward models among them."""
    store = Store.open(f"sqlite:///{record}")
    try:
        known = (*store.versions(), *store.versions(reward=True))
        return [version.id for version in known if not version.pruned]
    finally:
        store.close()


def _unpack(file: Path, folder: Path) -> None:
    try:
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise UserError(f"{file} cannot be unpacked: {error}") from None
    if not (folder / RECORD).is_file() or not (folder / VERSIONS).is_dir():
        raise UserError(f"{file} is no backup of Rankloop")


def _checked(folder: Path) -> list[str]:
    """The versions on record, each whole, and no others. Raises UserError."""
    versions = Versions(folder / VERSIONS)
    try:
        copying.check(folder / RECORD)
        ids = _ids(folder / RECORD)
        for id in ids:
            _ = versions.read(id) if id == "v0" else versions.verify(id)
    except (StoreError, UnknownVersion, CorruptVersion) as error:
        raise UserError(f"the backup is damaged: {error}") from None
    return ids


def _move_aside(data: Path, names: list[str]) -> None:
    aside = data / f"replaced-{time.strftime('%Y%m%d-%H%M%S')}"
    aside.mkdir()
    journals = [f"{RECORD}-wal", f"{RECORD}-shm"]
    for name in (*names, *(name for name in journals if (data / name).exists())):
        shutil.move(data / name, aside / name)
