"""Backups: what is in them comes back, on either database, and nothing damaged does."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from feedback.settings import DatabaseSettings
from feedback.store import Store
from policy.settings import VersionSettings
from policy.versions import Versions
from rankloop_backup import backup, restore
from rankloop_settings import Settings, UserError
from tests.feedback_databases import PostgresServer, a_generation
from tests.tiny_models import make_tiny


def settings_of(data: Path, url: str | None = None, versions: str | None = None) -> Settings:
    sections = {"database": DatabaseSettings(url=url), "versions": VersionSettings(url=versions)}
    return cast("Settings", SimpleNamespace(data=data, **sections))


def filled(data: Path, url: str | None = None) -> Store:
    """A record with a ranking, and v0 and v1."""
    versions = Versions(data / "versions")
    manifest = versions.install_base(str(make_tiny(data.parent / "model")))
    store = Store.open(settings_of(data, url).database.resolve(data))
    store.install_base(digest=manifest.digest)
    store.record_generation(a_generation())
    store.add_ranking(person="ann", candidates=["c1-0", "c1-1"], ranks=[1, 2])
    id = store.next_id("v")
    manifest = versions.publish(id, versions.load("v0"), kind="full", parent="v0", round=None)
    store.register_version(id, digest=manifest.digest, parent="v0", kind="full")
    return store


def held(store: Store) -> tuple[object, ...]:
    """What a record holds that people would miss."""
    return (
        store.training_rankings(),
        [(v.id, v.digest, v.state) for v in store.versions()],
        store.live(),
        store.waiting().count,
    )


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    """While the record is open and goes on: what comes later is not in it. Then it goes on."""
    store = filled(tmp_path / "old")
    before = held(store)
    assert backup(settings_of(tmp_path / "old"), tmp_path / "b.tar") == 2
    store.add_ranking(person="bob", candidates=["c1-0", "c1-1"], ranks=[2, 1])
    store.close()
    assert restore(settings_of(tmp_path / "new"), tmp_path / "b.tar", replace=False) == 2
    again = Store.open(f"sqlite:///{tmp_path / 'new' / 'rankloop.db'}")
    assert held(again) == before
    assert Versions(tmp_path / "new" / "versions").verify("v1").id == "v1"
    assert again.add_ranking(person="eve", candidates=["c1-0", "c1-1"], ranks=[1, 2]).id == 2
    assert again.next_id("v") == "v2"
    again.close()


def test_a_postgresql_record_comes_back(tmp_path: Path, postgres: PostgresServer) -> None:
    """By way of a file of SQLite's; new rows are numbered on from the old ones."""
    postgres.drop_tables()
    store = filled(tmp_path / "old", postgres.url)
    before = held(store)
    backup(settings_of(tmp_path / "old", postgres.url), tmp_path / "b.tar")
    store.close()
    postgres.drop_tables()
    restore(settings_of(tmp_path / "new", postgres.url), tmp_path / "b.tar", replace=False)
    again = Store.open(postgres.url)
    assert held(again) == before
    assert again.add_ranking(person="eve", candidates=["c1-0", "c1-1"], ranks=[1, 2]).id == 2
    again.close()


def test_versions_elsewhere_are_saved_and_brought_elsewhere(tmp_path: Path) -> None:
    """From a folder to a store by its address, and from there to a folder; never beside others."""
    filled(tmp_path / "old").close()
    digest = Versions(tmp_path / "old" / "versions").read("v1").digest
    backup(settings_of(tmp_path / "old"), tmp_path / "b.tar")
    elsewhere = settings_of(tmp_path / "new", versions=f"file://{tmp_path}/bucket")
    assert restore(elsewhere, tmp_path / "b.tar", replace=False) == 2
    assert not (tmp_path / "new" / "versions").exists()
    assert elsewhere.versions.place(tmp_path / "new").open().verify("v1").digest == digest
    backup(elsewhere, tmp_path / "c.tar")
    restore(settings_of(tmp_path / "again"), tmp_path / "c.tar", replace=False)
    assert Versions(tmp_path / "again" / "versions").verify("v1").digest == digest
    other = settings_of(tmp_path / "third", versions=f"file://{tmp_path}/bucket")
    with pytest.raises(UserError, match="bucket holds v0, v1"):
        restore(other, tmp_path / "c.tar", replace=False)


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    """A folder that holds a record is refused; told to, it is moved aside."""
    filled(tmp_path / "old").close()
    backup(settings_of(tmp_path / "old"), tmp_path / "b.tar")
    with pytest.raises(UserError, match=r"holds rankloop\.db, versions; --replace moves"):
        restore(settings_of(tmp_path / "old"), tmp_path / "b.tar", replace=False)
    restore(settings_of(tmp_path / "old"), tmp_path / "b.tar", replace=True)
    [aside] = (tmp_path / "old").glob("replaced-*")
    assert {"rankloop.db", "versions"} <= {path.name for path in aside.iterdir()}


def test_a_damaged_backup_changes_nothing(tmp_path: Path) -> None:
    """One bit of v1's weights, and a file that was cut short."""
    filled(tmp_path / "old").close()
    file = tmp_path / "b.tar"
    backup(settings_of(tmp_path / "old"), file)
    weights = (tmp_path / "old" / "versions" / "v1" / "model.safetensors").read_bytes()
    content = bytearray(file.read_bytes())
    content[content.index(weights[-256:]) + 100] ^= 1
    (tmp_path / "flipped.tar").write_bytes(content)
    (tmp_path / "short.tar").write_bytes(content[: len(content) // 2])
    for name, said in (
        ("flipped", "model.safetensors has other content"),
        ("short", "damaged|unpacked"),
    ):
        with pytest.raises(UserError, match=said):
            restore(settings_of(tmp_path / "new"), tmp_path / f"{name}.tar", replace=False)
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["run"]
