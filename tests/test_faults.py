"""The faults' driver: what it checks can fail, and a learner that dies at random leaves all as it
should be. The whole table is `make faults`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import file_rows
from tests.faults.ground import RANKINGS, SECRET, Folder, ranked
from tests.faults.invariants import broken
from tests.faults.learner_rows import random_deaths
from tests.feedback_databases import execute
from tests.test_learner_round import WORDS

KEPT = range(1, RANKINGS + 1)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    folder = ranked(tmp_path_factory.mktemp("faults"))
    yield folder
    folder.close()


@pytest.fixture
def folder(start: Folder, request: pytest.FixtureRequest) -> Iterator[Folder]:
    copy = start.copy(request.node.name)
    yield copy
    copy.close()


def lose(folder: Folder) -> None:
    for table in ("waiting_ranking", "ranked_candidate"):
        execute(folder.url, f"DELETE FROM {table} WHERE ranking_id = 7")
    execute(folder.url, "DELETE FROM ranking WHERE id = 7")


def leave_a_folder(folder: Folder) -> None:
    (folder.versions.root / "v7").mkdir()


def leave_a_state(folder: Folder) -> None:
    (folder.data / "rounds" / "7").mkdir(parents=True)


def leave_a_round(folder: Folder) -> None:
    folder.store.request_round(trigger="operator", actor="ada")
    assert folder.store.claim_round("a learner", 60.0)


def change_v0(folder: Folder) -> None:
    execute(folder.url, "UPDATE version SET digest = 'another'")


def tell_the_key(folder: Folder) -> None:
    (folder.data / "server.log").write_text(f"refused {SECRET}")


def tell_a_prompt(folder: Folder) -> None:
    (folder.data / "learner.log").write_text(" ".join(WORDS[:5]))


WRONG: dict[Callable[[Folder], None], str] = {
    lose: r"rankings are lost: \[7\]",
    leave_a_folder: r"folders \['v0', 'v7'\]",
    leave_a_state: r"states of rounds are left: \['7'\]",
    leave_a_round: "round 1 is running",
    change_v0: "v0 has another digest than on record",
    tell_the_key: "server.log shows the key",
    tell_a_prompt: "learner.log shows a prompt",
}


@pytest.mark.parametrize("harm", WRONG, ids=lambda harm: harm.__name__)
def test_what_does_not_stand_is_seen(folder: Folder, harm: Callable[[Folder], None]) -> None:
    """And nothing where all does."""
    assert broken(folder, KEPT) == []
    harm(folder)
    found = " ".join(broken(folder, KEPT))
    assert re.search(WRONG[harm], found), found


@pytest.mark.parametrize("damage", file_rows.DAMAGES)
def test_a_damage_is_one(tmp_path: Path, damage: str) -> None:
    """The file is another afterwards."""
    file, content = tmp_path / "weights", bytes(range(1, 251)) * 100
    file.write_bytes(content)
    file_rows.DAMAGES[damage](file)
    assert not file.exists() or file.read_bytes() != content


def test_a_learner_that_dies_at_random_leaves_all_in_place(folder: Folder) -> None:
    """Three times; `make faults` does so a hundred times."""
    assert random_deaths(folder, times=3, seed=1) == []
