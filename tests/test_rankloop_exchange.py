"""The commands `rankloop export` and `rankloop import`, on files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rankloop
from feedback.store import Store
from rankloop_exchange import Progress, person_of
from tests.exchanged import fill


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """A command's status, and what it said on stderr."""
    with pytest.raises(SystemExit) as end:
        rankloop.main([str(argument) for argument in arguments])
    return int(end.value.code or 0), capsys.readouterr().err


def test_a_database_goes_into_a_file_and_comes_out_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The header and 12 rows go out, 12 come in, and the second time none does."""
    (tmp_path / "a").mkdir()
    store = Store.open(f"sqlite:///{tmp_path / 'a' / 'rankloop.db'}")
    fill(store)
    store.close()
    file = tmp_path / "all.jsonl"
    out = ("export", file, "--format", "rankloop", "--data", tmp_path / "a")
    bring = ("import", file, "--format", "rankloop", "--data", tmp_path / "b")
    assert told(capsys, *out) == (0, "13 lines exported\n")
    assert told(capsys, *bring) == (0, "12 lines imported, 1 known already, 0 refused\n")
    assert told(capsys, *bring) == (0, "0 lines imported, 13 known already, 0 refused\n")
    copied = file.read_text()
    told(capsys, "export", file, "--format", "rankloop", "--data", tmp_path / "b")
    assert file.read_text() == copied


def test_a_bad_line_is_named_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other line is stored as said by the file, by its name."""
    file = tmp_path / "mine.jsonl"
    file.write_text("{}\n" + json.dumps({"prompt": "p", "chosen": "A", "rejected": "B"}))
    status, said = told(
        capsys, "import", file, "--format", "trl-preference", "--data", tmp_path / "data"
    )
    assert status == 1
    assert said.startswith("line 1: chosen must be a list")
    assert said.endswith("1 lines imported, 0 known already, 1 refused\n")
    store = Store.open(f"sqlite:///{tmp_path / 'data' / 'rankloop.db'}")
    assert [ranked.person for ranked in store.training_rankings()] == ["import:mine"]
    store.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "FILE", "--format", "csv"), "a format is one of rankloop, trl-preference"),
        (("import", "nowhere.jsonl", "--format", "hh"), "nowhere.jsonl"),
        (("export", "FILE", "--format", "hh"), "holds no record to export"),
    ],
)
def test_a_mistake_is_one_line_and_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    """An unknown format, a file that is not there, a folder without a database."""
    file = tmp_path / "file.jsonl"
    file.write_text("{}\n")
    named = [str(file) if word == "FILE" else word for word in arguments]
    status, line = told(capsys, *named, "--data", tmp_path / "data")
    assert status == 2
    assert said in line
    assert line.count("\n") == 1


def test_progress_is_told_every_two_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Of calls at 1, 3 and 4 s after the start at 0 the one at 3 says something."""
    times = iter([0.0, 1.0, 3.0, 3.0, 4.0])
    progress = Progress("read", lambda: next(times))
    for count in (10, 20, 30):
        progress(count)
    assert capsys.readouterr().err == "20 lines read\n"


def test_stdin_and_files_name_their_person() -> None:
    """Whoever imports without a name is the file."""
    assert (person_of("-"), person_of("a/b c.jsonl")) == ("import:stdin", "import:b c")
