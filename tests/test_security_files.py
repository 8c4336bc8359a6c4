"""What would run code out of a file is nowhere in the source."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
FOLDERS = ("server", "policy", "feedback", "learner", "ui", "benchmarks")
SOURCES = sorted(
    [
        *ROOT.glob("rankloop*.py"),
        *(file for name in FOLDERS for file in (ROOT / name).rglob("*.py")),
    ]
)
PICKLES = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
PICKLE_NAMES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".npy", ".joblib"}
BETWEEN_RANKS = {Path("learner/ranks/wire.py")}
"""torch.distributed pickles what the processes of one round tell each other, and so does this; none
of it comes from a file or from anybody else (docs/security.md)."""
PROTOCOLS = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
"""How a pickle begins, but for those of protocols that nobody has written for twenty years."""


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    """Every source file, parsed."""
    return {file.relative_to(ROOT): ast.parse(file.read_bytes()) for file in SOURCES}


def imported(tree: ast.Module) -> Iterator[str]:
    """The first part of every module that is imported, at the top or later."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def calls(tree: ast.Module) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Every call: what is called, and its keyword arguments that are constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            values = {
                word.arg: word.value.value
                for word in node.keywords
                if word.arg is not None and isinstance(word.value, ast.Constant)
            }
            yield ast.unparse(node.func), values


def test_no_module_reads_pickles(trees: dict[Path, ast.Module]) -> None:
    """Nor what two processes of one server tell each other (server/decode/orders.py)."""
    assert {file for file, tree in trees.items() if PICKLES & set(imported(tree))} == BETWEEN_RANKS


def holds_a_pickle(file: Path) -> bool:
    """By its name or how it begins; an archive by what is in it, as torch.save writes them."""
    if zipfile.is_zipfile(file):
        return any(Path(name).suffix in PICKLE_NAMES for name in zipfile.ZipFile(file).namelist())
    with file.open("rb") as content:
        return file.suffix in PICKLE_NAMES or content.read(2) in PROTOCOLS


def test_no_file_that_comes_along_is_a_pickle() -> None:
    """The packages with the built-in model's weights, and what a version's folder is made of."""
    files = [file for name in FOLDERS for file in (ROOT / name).rglob("*") if file.is_file()]
    files = [file for file in files if "__pycache__" not in file.parts]
    assert any(file.suffix == ".safetensors" for file in files)
    assert [file for file in files if holds_a_pickle(file)] == []


def test_a_pickle_is_known_whatever_its_name(tmp_path: Path) -> None:
    """One by itself, and one in the archive that torch.save makes."""
    (tmp_path / "weights.safetensors").write_bytes(bytes([0x80, 4, 0x95]))
    torch.save({"weight": torch.zeros(1)}, tmp_path / "model.json")
    (tmp_path / "config.json").write_text("{}")
    found = {file.name for file in tmp_path.iterdir() if holds_a_pickle(file)}
    assert found == {"weights.safetensors", "model.json"}


def test_torch_loads_nothing_but_tensors(trees: dict[Path, ast.Module]) -> None:
    """torch.load only with weights_only; numpy without allow_pickle."""
    for file, tree in trees.items():
        for name, values in calls(tree):
            assert name != "torch.load" or values.get("weights_only") is True, file
            assert not values.get("allow_pickle"), file


def test_no_model_brings_code_of_its_own(trees: dict[Path, ast.Module]) -> None:
    """trust_remote_code is False wherever it is named, and false by default."""
    for file, tree in trees.items():
        for _, values in calls(tree):
            assert values.get("trust_remote_code") in (None, False), file


SECRETS = {"key", "_key", "digest", "password", "secret", "token", "given", "_secret"}
WHO_COMES_IN = (
    "server/doors/keyring.py",
    "server/doors/access.py",
    "server/doors/sign_in.py",
    "feedback/keys.py",
    "feedback/tokens.py",
    "feedback/sessions.py",
    "feedback/accounts.py",
    "ui/gate.py",
    "ui/sign_in.py",
)


def test_keys_are_compared_in_constant_time(trees: dict[Path, ast.Module]) -> None:
    """Where it is decided who comes in, nothing secret stands beside == or !=, but compare_digest
    is called.
    """
    known = [trees[Path(name)] for name in WHO_COMES_IN]
    assert any("compare_digest" in ast.unparse(tree) for tree in known)
    for tree in known:
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                sides = [
                    ast.unparse(side).rpartition(".")[2] for side in (node.left, *node.comparators)
                ]
                assert not SECRETS & set(sides), ast.unparse(node)
