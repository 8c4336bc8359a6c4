"""`rankloop move`, as it is typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from policy.versions import Versions
from rankloop_move import move_versions, still
from rankloop_settings import UserError
from tests.feedback_databases import PostgresServer, execute
from tests.test_feedback_moving import filled
from tests.test_rankloop_backup import filled as filled_folder
from tests.test_rankloop_backup import settings_of

ROOT = Path(__file__).parent.parent


def move(data: Path, url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rankloop", "move", f"--data={data}", "--to", url]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_command_lists_what_it_moved_and_refuses_a_second_time(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """A row for each table; what to set next; then one line and 2."""
    postgres.drop_tables()
    filled(f"sqlite:///{tmp_path / 'rankloop.db'}")
    done = move(tmp_path, postgres.url)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["ranking", "3"] in [row[:2] for row in rows]
    assert "set database.url" in done.stderr
    assert execute(postgres.url, "SELECT count(*) FROM ranking") == [(3,)]
    again = move(tmp_path, postgres.url)
    assert (again.returncode, again.stdout) == (2, "")
    assert "nothing was moved: the database is not empty" in again.stderr


def test_what_cannot_be_moved_is_one_line(tmp_path: Path) -> None:
    """No record; a product that runs; an address that is none, and one that nobody listens for."""
    assert "holds no record to move" in move(tmp_path, "sqlite:///x.db").stderr
    assert list(tmp_path.iterdir()) == []
    filled(f"sqlite:///{tmp_path / 'rankloop.db'}")
    with still(tmp_path):
        assert "`rankloop up` runs on" in move(tmp_path, "postgresql://127.0.0.1:1/none").stderr
    for url, said in (
        ("postgresql://127.0.0.1:1/none", "does not answer"),
        ("nowhere", "--to must be postgresql://"),
        ("mysql://host/name", "nothing was moved: the database is"),
    ):
        refused = move(tmp_path, url)
        assert refused.returncode == 2, refused.stderr
        assert said in refused.stderr
        assert len(refused.stderr.splitlines()) <= 3


def test_versions_are_copied_to_another_place_once(tmp_path: Path) -> None:
    """v0 and v1 by the first call, nothing by the second; a place that is none is one line."""
    filled_folder(tmp_path / "data").close()
    target = f"file://{tmp_path}/bucket"
    settings = settings_of(tmp_path / "data")
    assert move_versions(settings, target) == 2
    assert move_versions(settings, target) == 0
    digest = Versions(tmp_path / "data" / "versions").read("v1").digest
    assert Versions(tmp_path / "bucket").verify("v1").digest == digest
    with pytest.raises(UserError, match="cannot be used"):
        move_versions(settings, "nowhere://x")
