"""The lock of those who write versions."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from policy import lock


def test_one_after_the_other(tmp_path: Path) -> None:
    """The second begins when the first has ended."""
    order = []

    def second() -> None:
        with lock.locked(tmp_path / ".lock"):
            order.append("second")

    with lock.locked(tmp_path / ".lock"):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_a_holder_that_stalls_is_not_waited_for_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a tenth of a second here; and who comes then waits for the new holder, not the old."""
    monkeypatch.setattr(lock, "LOCK_S", 0.1)
    with lock.locked(tmp_path / ".lock"), lock.locked(tmp_path / ".lock"):
        assert (tmp_path / ".lock").exists()
    with lock.locked(tmp_path / ".lock"):
        pass
