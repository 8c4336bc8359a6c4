"""The soak with kills, short, and that it sees what it looks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.night import __main__ as night
from benchmarks.night import verdict
from benchmarks.night.journal import Journal, Kill, Sample
from feedback.store import Store
from policy.versions import Versions
from tests.feedback_databases import a_generation
from tests.tiny_models import make_tiny


def test_a_short_one_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People, and a kill, too short for a round: every ranking is kept, the picture is drawn."""
    model, out = str(make_tiny(tmp_path / "model")), tmp_path / "out"
    night.main(0.4, people=1, pause=1.5, kills=0.15, model=model, out=out, seed=1)
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["wrong"] == []
    assert found["answers"] > 0
    assert (out / "night.png").stat().st_size > 0


@contextmanager
def record(folder: Path) -> Iterator[tuple[Store, str]]:
    """A record with one ranking, and the key that it came under."""
    (folder / "rankloop.log").write_text("all is well\n", encoding="utf-8")
    store = Store.open(f"sqlite:///{folder}/rankloop.db")
    versions = Versions(folder / "versions")
    manifest = versions.install_base(str(make_tiny(folder / "model")))
    store.install_base(digest=manifest.digest)
    store.record_generation(a_generation("asked"))
    store.add_ranking(person="ann", completion_id="asked", ranks=[1, 2, 3, 4], idempotency_key="k")
    yield store, "k"
    store.close()


def test_what_is_lost_cut_or_grows_is_told(tmp_path: Path) -> None:
    """A ranking that is not there, a fault, memory and files that grow, a traceback."""
    with record(tmp_path) as (_, key):
        journal = Journal(acknowledged={key: "1", "gone": "2"})
        journal.faults.append((3.0, "an answer was cut"))
        for minute in range(30):
            journal.samples.append(Sample(minute * 60.0, "server", 1, 100 + minute, 9 + minute))
        (tmp_path / "rankloop.log").write_text(f"{verdict.TRACE}:\n", encoding="utf-8")
        said = "\n".join(verdict.broken(tmp_path, journal, quiet_s=0.0))
    for words in ("1 acknowledged rankings are lost", "an answer was cut", "memory grew", "files"):
        assert words in said
    assert "1 tracebacks" in said


def test_a_failure_just_after_the_server_was_killed_is_excused() -> None:
    """One after the page was killed is not: it has no part in answers."""
    journal = Journal(kills=[Kill(0.0, "server")])
    journal.failed("refused")
    assert (journal.faults, journal.excused.total()) == ([], 1)
    journal = Journal(kills=[Kill(0.0, "ui")])
    journal.failed("refused")
    assert len(journal.faults) == 1
