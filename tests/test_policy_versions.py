"""Version folders: what is published loads, what was touched does not verify."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    MambaConfig,
)

import rankloop_faults
from policy.model import load
from policy.source import UnsupportedModel
from policy.versions import (
    CorruptVersion,
    Manifest,
    UnknownVersion,
    VersionExists,
    Versions,
    WrongModel,
)
from tests.tiny_models import make_tiny


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return make_tiny(tmp_path / "tiny")


@pytest.fixture
def versions(tmp_path: Path, tiny: Path) -> Versions:
    versions = Versions(tmp_path / "data" / "versions")
    versions.install_base(str(tiny))
    return versions


def publish(versions: Versions, id: str = "v1", shift: float = 0.25) -> Manifest:
    """v0 with one weight moved."""
    model = versions.load("v0")
    with torch.no_grad():
        next(iter(model.net.parameters()))[0, 0] += shift
    return versions.publish(id, model, kind="full", parent="v0", round=1, settings={"kl": 0.1})


def test_base_names_the_models_files_and_copies_none(versions: Versions, tiny: Path) -> None:
    """v0's folder holds its manifest alone, and it loads from where the model stands."""
    manifest = versions.verify("v0")
    assert (manifest.id, manifest.kind, manifest.base) == ("v0", "base", str(tiny))
    assert manifest.base_digest == manifest.digest
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(manifest.files)
    assert [path.name for path in (versions.root / "v0").iterdir()] == ["manifest.json"]
    assert versions.folder("v0") == tiny
    assert versions.load("v0").name == "v0"


def test_base_is_installed_once(versions: Versions, tiny: Path) -> None:
    """The same model again changes nothing; moved elsewhere, it is followed."""
    manifest = versions.read("v0")
    assert versions.install_base(str(tiny)) == manifest
    moved = tiny.rename(tiny.with_name("moved"))
    assert versions.install_base(str(moved)) == replace(manifest, base=str(moved))
    assert versions.load("v0").folder == moved


def test_another_model_is_refused_with_both_names(versions: Versions, tmp_path: Path) -> None:
    """A data folder keeps to the model that it was made with."""
    other = make_tiny(tmp_path / "other", seed=1)
    with pytest.raises(WrongModel, match=rf"made with model .*tiny.* not with .*{other.name}"):
        versions.install_base(str(other))


def test_a_model_that_cannot_be_served_binds_no_data_folder(tmp_path: Path) -> None:
    """It is refused by name, and another model may have the folder."""
    MambaConfig().save_pretrained(tmp_path / "mamba")
    versions = Versions(tmp_path / "versions")
    with pytest.raises(UnsupportedModel, match="mamba keeps a recurrent state"):
        versions.install_base(str(tmp_path / "mamba"))
    assert versions.ids() == []


def test_published_version_loads_as_a_hugging_face_folder(versions: Versions) -> None:
    """from_pretrained gives the published weights bit for bit, float32, tokenizer and template."""
    base = versions.load("v0")
    publish(versions)
    folder = versions.folder("v1")
    net = AutoModelForCausalLM.from_pretrained(folder)
    first, published = (next(iter(n.parameters())).detach() for n in (base.net, net))
    assert published.dtype == torch.float32
    assert float(published[0, 0] - first[0, 0]) == pytest.approx(0.25, abs=1e-6)
    assert torch.equal(published[1:], first[1:])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template == base.tokenizer.chat_template
    assert versions.load("v1").chat.template_hash == base.chat.template_hash


def test_manifest_tells_where_a_version_came_from(versions: Versions) -> None:
    """What was passed, the base and its digest, the code's revision and the files' hashes."""
    published = publish(versions)
    assert versions.verify("v1") == versions.read("v1") == published
    assert (published.id, published.kind, published.parent) == ("v1", "full", "v0")
    assert (published.round, published.settings) == (1, {"kl": 0.1})
    assert published.base_digest == versions.read("v0").digest != published.digest
    assert published.revision
    files = {p.name for p in versions.folder("v1").iterdir()} - {"manifest.json"}
    assert set(published.files) == files


def test_digest_is_the_contents(versions: Versions) -> None:
    """Equal weights under another id have the same digest, other weights another."""
    digests = [publish(versions, *args).digest for args in (("v1", 1.0), ("v2", 1.0), ("v3", 2.0))]
    assert digests[0] == digests[1] != digests[2]


def flip_a_bit(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def cut_short(folder: Path) -> None:
    os.truncate(folder / "tokenizer.json", 100)


def delete(folder: Path) -> None:
    (folder / "config.json").unlink()


def add(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")


def garble_the_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"files": []}')


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_a_bit, r"model\.safetensors has other content"),
        (cut_short, r"tokenizer\.json has 100 bytes, not \d+"),
        (delete, r"config\.json is missing"),
        (add, r"adapter_config\.json is not in the manifest"),
        (garble_the_manifest, r"manifest\.json is no manifest"),
    ],
)
def test_damage_is_found_and_named(
    versions: Versions, damage: Callable[[Path], None], message: str
) -> None:
    """Any change to a published folder fails its verification, which names the file; v0 stays."""
    publish(versions)
    damage(versions.folder("v1"))
    with pytest.raises(CorruptVersion, match=rf"Version v1 does not verify: {message}"):
        versions.load("v1")
    assert versions.load("v0").name == "v0"


@pytest.mark.parametrize("damage", [flip_a_bit, cut_short, delete])
def test_damage_to_the_base_is_found(
    versions: Versions, tiny: Path, damage: Callable[[Path], None]
) -> None:
    """v0's files stand elsewhere and are checked there; a gone folder is damage too."""
    damage(tiny)
    with pytest.raises(CorruptVersion, match="Version v0 does not verify"):
        versions.verify("v0")
    shutil.rmtree(tiny)
    with pytest.raises(CorruptVersion, match="is gone"):
        versions.verify("v0")


def test_a_manifest_under_another_name_is_refused(versions: Versions) -> None:
    """A copied folder is not a version of its own."""
    publish(versions)
    shutil.copytree(versions.root / "v1", versions.root / "v2")
    with pytest.raises(CorruptVersion, match=r"manifest\.json is that of v1"):
        versions.verify("v2")


@pytest.mark.parametrize("id", ["v9", "", "../tiny", "v01", "latest"])
def test_unknown_versions_are_unknown(versions: Versions, id: str) -> None:
    """What was never published, and what could never be an id, is no version."""
    with pytest.raises(UnknownVersion):
        versions.verify(id)


def test_ids_are_in_order(versions: Versions) -> None:
    """v10 comes after v2; reward models come last."""
    for id in ("v10", "v2"):
        publish(versions, id)
    publish_reward(versions)
    assert versions.ids() == ["v0", "v2", "v10", "r1"]


def test_a_version_is_never_written_twice(versions: Versions) -> None:
    """A published id is refused; removed, it may be used again."""
    publish(versions)
    with pytest.raises(VersionExists, match="'v1'"):
        publish(versions)
    versions.remove("v1")
    assert versions.ids() == ["v0"]
    with pytest.raises(UnknownVersion):
        versions.folder("v1")
    publish(versions)
    assert versions.ids() == ["v0", "v1"]


def publish_reward(versions: Versions) -> Manifest:
    """The trunk with a scalar head, as a learner saves it."""

    def save(folder: Path) -> None:
        source = versions.folder("v0")
        net = AutoModelForSequenceClassification.from_pretrained(source, num_labels=1)
        net.save_pretrained(folder)
        AutoTokenizer.from_pretrained(source).save_pretrained(folder)

    return versions.publish("r1", save, kind="reward", parent="v0", round=1)


def test_reward_models_are_versions_too(versions: Versions) -> None:
    """A reward model's folder verifies and loads with its head; the next version names it."""
    reward = publish_reward(versions)
    versions.verify("r1")
    net, info = AutoModelForSequenceClassification.from_pretrained(
        versions.folder("r1"), output_loading_info=True
    )
    assert net.score.weight.shape == (1, 64)
    assert not info["missing_keys"]
    taught = versions.publish(
        "v1",
        load(versions.folder("v0")),
        kind="full",
        parent="v0",
        round=1,
        reward_digest=reward.digest,
    )
    assert versions.read("v1").reward_digest == taught.reward_digest == reward.digest


def test_failed_save_publishes_nothing(versions: Versions) -> None:
    """An error while saving rises, and the next publish sweeps up."""

    def fail(folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        versions.publish("v1", fail, kind="full", parent="v0", round=1)
    assert versions.ids() == ["v0"]
    publish(versions)
    assert sorted(path.name for path in versions.root.iterdir()) == [".lock", "v0", "v1"]


def test_killed_publish_leaves_no_version(versions: Versions, tiny: Path) -> None:
    """A process killed in the middle of a publish leaves a folder that is no version and that the
    next publish removes; its lock is gone with it."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from policy.versions import Versions\n"
        "def save(folder):\n"
        "    (folder / 'config.json').write_text('{}')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "Versions(Path(sys.argv[1])).publish('v1', save, kind='full', parent='v0', round=1)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(versions.root)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(versions.root.glob(".tmp-*"))) == 1
    assert versions.ids() == ["v0"]
    publish(versions)
    assert list(versions.root.glob(".tmp-*")) == []
    assert versions.load("v1").name == "v1"


def test_manifest_is_plain_json(versions: Versions) -> None:
    """Any tool can read what a version is."""
    publish(versions)
    stored = json.loads((versions.folder("v1") / "manifest.json").read_text())
    assert stored["files"]["model.safetensors"].keys() == {"sha256", "size"}
    assert (stored["id"], stored["base_digest"]) == ("v1", versions.read("v0").digest)


@pytest.mark.parametrize("point", ["versions.save", "durable.write", "versions.rename"])
def test_a_full_disk_leaves_no_part_of_a_version(
    versions: Versions, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """The room that was taken is given back at once, and later the same id can be published."""
    monkeypatch.setattr(rankloop_faults, "_passed", Counter())
    monkeypatch.setenv(rankloop_faults.FAULT_AT, f"{point}:full")
    with pytest.raises(OSError, match="No space left"):
        publish(versions)
    assert sorted(path.name for path in versions.root.iterdir()) == [".lock", "v0"]
    assert publish(versions).id == "v1"


def test_a_half_removed_version_is_cleared(
    versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its manifest is gone and its weights are not: the next publication removes them."""
    publish(versions)
    monkeypatch.setattr(rankloop_faults, "_passed", Counter())
    monkeypatch.setenv(rankloop_faults.FAULT_AT, "versions.remove:io")
    with pytest.raises(OSError, match="Input/output"):
        versions.remove("v1")
    assert (versions.root / "v1").is_dir()
    publish(versions, "v2")
    assert sorted(path.name for path in versions.root.iterdir()) == [".lock", "v0", "v2"]
