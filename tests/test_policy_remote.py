"""Versions behind fsspec: uploaded whole or not at all, copied by digest, checked before use."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import pytest
import torch

from policy.place import Place
from policy.remote import FETCHING, RemoteVersions
from policy.settings import VersionSettings
from policy.version_errors import StoreAway, UnusablePlace
from policy.versions import CorruptVersion, UnknownVersion, VersionExists, Versions, WrongModel
from rankloop_faults import FAULT_AT
from tests.server_running import disturb
from tests.tiny_models import make_tiny

ROOT = Path(__file__).parent.parent


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(make_tiny(tmp_path / "model"))


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Two of fsspec's own file systems. The second has no folders, as object stores have none."""
    if request.param == "file":
        return f"file://{tmp_path}/bucket/rankloop"
    return f"memory://{tmp_path.name}/rankloop"


def machine(url: str, folder: Path) -> RemoteVersions:
    """What a process on a machine of its own has of the store."""
    versions = VersionSettings(url=url).place(folder).open()
    assert isinstance(versions, RemoteVersions)
    return versions


def publish(versions: Versions, id: str, seed: int = 1) -> str:
    model = versions.load("v0")
    disturb(model, 0.05, seed)
    return versions.publish(id, model, kind="full", parent="v0", round=1).digest


def test_what_one_machine_publishes_another_loads(url: str, model: str, tmp_path: Path) -> None:
    """Both see v0 and v1; the second's copy is the first's bytes, under its digest, and it is
    fetched once.
    """
    learner, server = machine(url, tmp_path / "a"), machine(url, tmp_path / "b")
    assert learner.install_base(model).digest == server.install_base(model).digest
    digest = publish(learner, "v1")
    assert server.ids() == ["v0", "v1"]
    assert server.verify("v1").digest == digest
    weights = [versions.load("v1").net.state_dict() for versions in (learner, server)]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], atol=0, rtol=0)
    copy = server.folder("v1")
    assert copy == tmp_path / "b" / "fetched" / digest
    inode = (copy / "model.safetensors").stat().st_ino
    server.verify("v1")
    assert (server.folder("v1") / "model.safetensors").stat().st_ino == inode


def test_the_store_is_laid_out_as_a_folder_of_versions(model: str, tmp_path: Path) -> None:
    """So that a store may be filled, or read, without this code."""
    versions = machine(f"file://{tmp_path}/bucket", tmp_path / "a")
    versions.install_base(model)
    digest = publish(versions, "v1")
    assert Versions(tmp_path / "bucket").verify("v1").digest == digest


def test_a_copy_that_went_bad_is_fetched_again(url: str, model: str, tmp_path: Path) -> None:
    """One flipped bit on this machine is not the version's fault; nor is a copy that lacks a
    file.
    """
    versions = machine(url, tmp_path / "a")
    versions.install_base(model)
    digest = publish(versions, "v1")
    weights = versions.folder("v1") / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert versions.verify("v1").digest == digest
    (versions.folder("v1") / "config.json").unlink()
    assert versions.verify("v1").digest == digest


def test_a_version_that_is_damaged_in_the_store_is_never_shown(
    url: str, model: str, tmp_path: Path
) -> None:
    """A machine without a copy says which file it is, and keeps nothing of it."""
    learner, server = machine(url, tmp_path / "a"), machine(url, tmp_path / "b")
    learner.install_base(model)
    publish(learner, "v1")
    with fsspec.open(f"{url}/v1/model.safetensors", "wb") as file:
        file.write(b"something else")
    with pytest.raises(CorruptVersion, match=r"model\.safetensors has other content"):
        server.verify("v1")
    assert list((tmp_path / "b" / "fetched").iterdir()) == []
    with fsspec.open(f"{url}/v2/model.safetensors", "wb") as file:
        file.write(b"of an upload that was cut off")
    assert server.ids() == ["v0", "v1"]
    with pytest.raises(UnknownVersion):
        server.verify("v2")
    learner.clear()
    assert not fsspec.open(f"{url}/v2/model.safetensors").fs.exists(f"{url}/v2/model.safetensors")


def test_a_killed_upload_is_no_version(model: str, tmp_path: Path) -> None:
    """SIGKILL between the last file and the manifest: the files are there, and no version."""
    url, data = f"file://{tmp_path}/bucket", tmp_path / "a"
    versions = machine(url, data)
    versions.install_base(model)
    code = (
        "import sys; from pathlib import Path; from policy.settings import VersionSettings;"
        f"versions = VersionSettings(url={url!r}).place(Path({str(data)!r})).open();"
        "versions.publish('v1', versions.load('v0'), kind='full', parent='v0', round=None)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT), FAULT_AT: "remote.manifest:kill", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert killed.returncode == -9
    assert (tmp_path / "bucket" / "v1" / "model.safetensors").is_file()
    assert versions.ids() == ["v0"]
    publish(versions, "v2")
    assert versions.ids() == ["v0", "v2"]
    assert not (tmp_path / "bucket" / "v1").exists()


def test_nothing_is_published_twice_and_no_other_model_fits(
    url: str, model: str, tmp_path: Path
) -> None:
    """By whichever machine; the refusal names the store."""
    a, b = machine(url, tmp_path / "a"), machine(url, tmp_path / "b")
    a.install_base(model)
    publish(a, "v1")
    with pytest.raises(VersionExists):
        publish(b, "v1")
    other = str(make_tiny(tmp_path / "other", seed=7))
    with pytest.raises(WrongModel, match="rankloop was made with model"):
        b.install_base(other)
    a.remove("v1")
    assert b.ids() == ["v0"]


def test_two_machines_that_start_at_once_install_one_model(
    url: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second looks before the first has written, and finds v0 there when it writes; another
    model is refused then as well.
    """
    first, second, third = (machine(url, tmp_path / name) for name in "abc")
    installed = first.install_base(model)
    for late in (second, third):
        seen: Iterator[list[str]] = iter([[], []])
        monkeypatch.setattr(late, "ids", partial(next, seen, ["v0"]))
    assert second.install_base(model) == installed
    with pytest.raises(WrongModel):
        third.install_base(str(make_tiny(tmp_path / "other", seed=7)))


def test_four_fetch_at_once(model: str, tmp_path: Path) -> None:
    """Into one folder: all get the whole, and no half is left."""
    url = f"file://{tmp_path}/bucket"
    machine(url, tmp_path / "a").install_base(model)
    publish(machine(url, tmp_path / "a"), "v1")
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(machine(url, tmp_path / "b").folder("v1")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert list((tmp_path / "b" / "fetched").glob(f"{FETCHING}*")) == []
    assert machine(url, tmp_path / "b").verify("v1").id == "v1"


def test_a_store_that_does_not_answer_is_an_error_of_the_world(tmp_path: Path) -> None:
    """Not of the version: a server goes on with what it has, and tries again."""
    versions = machine("http://127.0.0.1:9/rankloop", tmp_path)
    with pytest.raises(StoreAway, match=r"http://127.0.0.1:9/rankloop cannot be reached"):
        versions.ids()
    assert issubclass(StoreAway, OSError)


def test_an_address_that_nothing_here_knows_says_what_to_install(tmp_path: Path) -> None:
    """A scheme without its library, and one that is none; a plain path is a folder."""
    with pytest.raises(UnusablePlace, match=r"nowhere://\.\.\. cannot be used"):
        machine("nowhere://ann:secret@x/y", tmp_path)
    assert VersionSettings(url="/mnt/v").place(tmp_path) == Place(Path("/mnt/v"))
    assert VersionSettings().place(tmp_path) == Place(tmp_path / "versions")


def test_a_version_is_taken_over_as_it_is(url: str, model: str, tmp_path: Path) -> None:
    """From a folder to the store: the same digest; one that is damaged is refused."""
    local, remote = Versions(tmp_path / "versions"), machine(url, tmp_path / "a")
    local.install_base(model)
    digest = publish(local, "v1")
    publish(local, "v2", seed=2)
    for id in ("v0", "v1"):
        remote.adopt(tmp_path / "versions" / id)
    assert remote.ids() == ["v0", "v1"]
    assert remote.verify("v1").digest == digest
    (tmp_path / "versions" / "v2" / "config.json").write_text("{}")
    with pytest.raises(CorruptVersion):
        remote.adopt(tmp_path / "versions" / "v2")
    with pytest.raises(VersionExists):
        remote.adopt(tmp_path / "versions" / "v1")
