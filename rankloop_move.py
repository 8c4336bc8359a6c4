"""`rankloop move`: the record into another, empty database, and versions to another place."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.exc import ArgumentError, OperationalError

from feedback.errors import StoreError
from feedback.moving import move
from policy.settings import VersionSettings
from policy.version_errors import CorruptVersion, StoreAway, UnusablePlace
from policy.versions import Versions
from rankloop_settings import Settings, UserError

COLUMNS = {"table": "table", "rows": "rows", "digest": "digest"}


def move_record(settings: Settings, url: str) -> list[dict[str, Any]]:
    """Copy the record there; what each table holds, as rows of COLUMNS. Raises UserError."""
    if settings.database.url is None and not (settings.data / "rankloop.db").exists():
        raise UserError(f"{settings.data} holds no record to move")
    try:
        with still(settings.data):
            moved = move(settings.database.resolve(settings.data), url)
    except ArgumentError:
        raise UserError("--to must be postgresql://USER@HOST/NAME or sqlite:///FILE") from None
    except StoreError as error:
        raise UserError(f"nothing was moved: {error.message}") from None
    except OperationalError as error:
        raise UserError(f"nothing was moved, a database does not answer: {error.orig}") from None
    return [{"table": it.name, "rows": it.rows, "digest": it.digest[:16]} for it in moved]


def move_versions(settings: Settings, url: str) -> int:
    """Copy every version that is not there already, each checked against its sha256s; how many.
    Raises UserError.
    """
    try:
        source = settings.versions.place(settings.data).open()
        target = VersionSettings(url=url).place(settings.data).open()
        with still(settings.data):
            there = set(target.ids())
            missing = [id for id in source.ids() if id not in there]
            for id in missing:
                _copy(source, target, id)
    except (UnusablePlace, StoreAway, CorruptVersion) as error:
        raise UserError(str(error)) from None
    return len(missing)


def _copy(source: Versions, target: Versions, id: str) -> None:
    manifest = source.read(id)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / id
        if manifest.kind == "base":
            folder.mkdir()
            (folder / "manifest.json").write_text(manifest.text())
        else:
            folder.symlink_to(source.folder(id).absolute())
        target.adopt(folder)


@contextmanager
def still(data: Path) -> Iterator[None]:
    """Raises UserError while `rankloop up` runs on the folder, and keeps it from starting: what it
    wrote meanwhile would be lost.
    """
    (data / "run").mkdir(parents=True, exist_ok=True)
    with (data / "run" / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"`rankloop up` runs on {data}; stop it first") from None
        yield
