"""How much memory there is, with and without a container's limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy import memory


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group whose figures the test writes."""
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return tmp_path


def test_a_limit_counts(group: Path) -> None:
    """64 MiB allowed, 20 of them used."""
    (group / "memory.max").write_text(f"{64 * 2**20}\n")
    (group / "memory.current").write_text(f"{20 * 2**20}\n")
    assert memory.machine_bytes() == 64 * 2**20
    assert memory.available_bytes() == 44 * 2**20


def test_the_older_kind_of_limit_counts(group: Path) -> None:
    """Version 1 of control groups names its files otherwise."""
    (group / "memory").mkdir()
    (group / "memory" / "memory.limit_in_bytes").write_text(str(2**25))
    assert memory.machine_bytes() == 2**25


@pytest.mark.parametrize("limit", ["max", None])
def test_without_a_limit_it_is_the_machines(group: Path, limit: str | None) -> None:
    """More than 64 MiB anywhere that tests run, and no more is free than there is. What a group
    without a limit has used is mostly files' pages, and takes nothing away."""
    if limit:
        (group / "memory.max").write_text(limit)
        (group / "memory.current").write_text(str(2**50))
    assert 2**26 < memory.available_bytes() <= memory.machine_bytes() < 2**50
