"""The points where tests let a process fail."""

from __future__ import annotations

import errno

import pytest

from rankloop_faults import FAULT_AT, point
from rankloop_settings import UserError, load_settings


def test_a_point_fails_the_time_that_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of three passes; another point is not touched."""
    monkeypatch.setenv(FAULT_AT, "here.only:full:2")
    point("elsewhere")
    point("here.only")
    with pytest.raises(OSError, match="No space left") as failed:
        point("here.only")
    assert failed.value.errno == errno.ENOSPC
    point("here.only")


def test_no_setting_arms_a_point() -> None:
    """Neither a flag nor a variable of the settings is known."""
    with pytest.raises(UserError, match="unknown setting"):
        load_settings(None, {"fault_at": "versions.save:kill"}, {})
    with pytest.raises(UserError, match="unknown setting"):
        load_settings(None, {}, {"RANKLOOP_FAULT_AT": "versions.save:kill"})
