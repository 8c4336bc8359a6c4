"""feedback.exchange through the store: out, in, and out again, on both databases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback.errors import StoreError
from feedback.exchange.formats import NAMES, OWN
from feedback.exchange.guessing import guess
from feedback.exchange.lines import written
from feedback.store import Store
from feedback.tables import Row
from tests.exchanged import asked, brought, fill
from tests.feedback_databases import a_generation, execute

LINES = {
    # b > a and c > a; b and c tie, d is unranked; then f > e
    "trl-preference": 3,
    "openai-preference": 3,
    "hh": 3,
    "oasst": 2,
    "trl-unpaired": 2,
    "trl-prompt-completion": 2,
    "openai-messages": 2,
    # the ranking of a conversation of one turn, and bob's ratings; the other has several turns
    "ultrafeedback": 2,
    # the header, 3 generations, 3 rankings, 4 marks, 2 demonstrations
    OWN: 13,
}


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """An empty store to import into."""
    store = Store.open(f"sqlite:///{tmp_path / 'other.db'}")
    yield store
    store.close()


@pytest.mark.parametrize("format", NAMES)
def test_what_is_exported_is_imported_and_exported_again_alike(
    store: Store, other: Store, format: str
) -> None:
    """Each format's lines, counted by hand above, come out of an empty store as they went in."""
    fill(store)
    lines = list(store.export(format))
    assert len(lines) == LINES[format]
    report = brought(other, format, lines)
    assert (report.refused, report.imported) == (0, len(lines) - (format == OWN))
    assert list(other.export(format)) == lines


def test_our_own_format_carries_what_was_ranked_by(store: Store, other: Store) -> None:
    """Out and in again, one of the whole and one by honesty; the field's formats get the former's
    six pairs alone.
    """
    store.record_generation(a_generation("c1"))
    for criterion in (None, "honest"):
        store.add_ranking(person="ann", completion_id="c1", ranks=[1, 2, 3, 4], criterion=criterion)
    lines = list(store.export(OWN))
    told = [line["criterion"] for line in lines if line["type"] == "ranking"]
    assert told == [None, "honest"]
    brought(other, OWN, lines)
    assert list(other.export(OWN)) == lines
    assert len(list(store.export("trl-preference"))) == 6


@pytest.mark.parametrize("format", NAMES)
def test_a_format_is_told_by_its_first_line(store: Store, format: str) -> None:
    """Of each format what is exported is taken for that format."""
    fill(store)
    assert guess(next(iter(store.export(format)))) == format


@pytest.mark.parametrize("format", NAMES)
def test_nothing_is_imported_twice(store: Store, other: Store, format: str) -> None:
    """The same lines again, written otherwise, are all known."""
    fill(store)
    lines = list(store.export(format))
    brought(other, format, lines)
    again = brought(
        other, format, [json.dumps(line, indent=None, sort_keys=True) for line in lines]
    )
    assert (again.imported, again.known, again.refused) == (0, len(lines), 0)
    assert list(other.export(format)) == lines


def test_our_own_format_rebuilds_the_database(store: Store, url: str, tmp_path: Path) -> None:
    """As many rows in every table that people fill, and the very same ones."""
    fill(store)
    copy = f"sqlite:///{tmp_path / 'copy.db'}"
    other = Store.open(copy)
    brought(other, OWN, store.export(OWN))
    other.close()
    tables = ["generation", "candidate", "ranking", "ranked_candidate", "mark", "demonstration"]
    counts = {}
    for table in [*tables, "waiting_ranking"]:
        [[here]], [[there]] = (execute(at, f"SELECT count(*) FROM {table}") for at in (url, copy))
        counts[table] = here
        assert here == there, table
    # 4 + 2 + 2 answers; 4 + 4 + 2 ranked; the replaced ranking waits no longer
    assert list(counts.values()) == [3, 8, 3, 10, 4, 2, 2]
    assert {table.name for table in Row.metadata.sorted_tables} >= set(counts)


def test_a_file_of_the_same_database_brings_nothing_new(store: Store) -> None:
    """Its rows are on record, though no line was ever imported."""
    fill(store)
    lines = list(store.export(OWN))
    report = brought(store, OWN, lines)
    assert (report.imported, report.known, report.refused) == (0, len(lines), 0)


def test_rows_whose_numbers_are_taken_get_the_next_ones(store: Store, other: Store) -> None:
    """Beside two rankings of its own the store's third is ann's first: what it supersedes follows,
    and the next ranking has a number of its own.
    """
    fill(other)
    lines = list(other.export(OWN))
    for id in ("x1", "x2"):
        asked(store, id, ["Y", "Z"])
        store.add_ranking(person="ann", completion_id=id, ranks=[1, 2])
    assert brought(store, OWN, lines).refused == 0
    ranked = [line for line in store.export(OWN) if line["type"] == "ranking"]
    first = ranked[0]["number"]
    assert [line["number"] - first for line in ranked] == [0, 1, 2, 3, 4]
    assert [line["supersedes"] for line in ranked] == [None, None, None, first + 2, None]
    assert store.add_ranking(person="ann", completion_id="x1", ranks=[2, 1]).id == first + 5


def test_a_bad_line_is_named_and_the_rest_is_imported(store: Store) -> None:
    """Numbers are the file's; what is refused can be mended and imported after all."""
    good = {"prompt": "hi", "chosen": "A", "rejected": "B"}
    rows = [
        "{",
        good,
        {**good, "chosen": 3},
        "[]",
        {"chosen": [{"role": "user", "content": "x"}], "rejected": []},
        {**good, "rejected": "A"},
        {**good, "prompt": "hello"},
    ]
    report = brought(store, "trl-preference", rows)
    assert (report.imported, report.known, report.refused) == (2, 0, 5)
    told = {line.number: line.reason for line in report.reasons}
    assert [*told] == [1, 3, 4, 5, 6]
    assert "chosen must be a list" in told[3]
    assert told[4] == "not an object"
    assert "both answers are the same" in told[6]
    assert brought(store, "trl-preference", [{**good, "chosen": "C"}]).imported == 1
    assert len(store.training_rankings()) == 3


def test_imported_answers_have_no_tokens_and_say_so(store: Store) -> None:
    """Their version is `imported`; two lines of one prompt are one conversation."""
    good = {"prompt": "hi", "chosen": "A", "rejected": "B"}
    brought(store, "trl-preference", [good, {**good, "rejected": "C"}], person="import:file")
    first, second = store.training_rankings()
    assert (first.person, first.prompt_ids, first.ranks) == ("import:file", (), (1, 2))
    assert [(a.text, a.token_ids, a.version) for a in first.answers] == [
        ("A", (), "imported"), ("B", (), "imported"),
    ]  # fmt: skip
    assert first.conversation_id == second.conversation_id
    assert store.waiting().count == 2


def test_what_was_asked_here_comes_before_what_was_imported(store: Store) -> None:
    """Rollouts draw from the last prompts, and a file may bring more than there is room for."""
    asked(store, "c1", ["A"], (("user", "asked"),))
    rows = [{"prompt": f"p{i}", "chosen": "A", "rejected": "B"} for i in range(3)]
    brought(store, "trl-preference", rows)
    prompts = [prompt.messages[0][1] for prompt in store.logged_prompts(2)]
    assert (prompts[0], len(prompts)) == ("asked", 2)
    store.install_base(digest="d0")
    assert [answer.id for answer in store.unscored("r1", 9)] == ["c1-0"]


def test_what_was_not_consented_to_stays_out_of_the_fields_formats(store: Store) -> None:
    """A training file is to be trained on; our own format holds it, marked."""
    asked(store, "c1", ["A", "B"], consented=False)
    store.add_ranking(person="ann", completion_id="c1", ranks=[1, 2])
    assert list(store.export("trl-preference")) == []
    assert [line["consented"] for line in store.export(OWN)][1:] == [False, False]


def test_one_persons_rows_alone(store: Store) -> None:
    """Of bob: a request, a ranking, two marks and a demonstration, after the header."""
    fill(store)
    lines = list(store.export(OWN, person="bob"))[1:]
    assert [line["type"] for line in lines] == [
        "generation", "ranking", "mark", "mark", "demonstration",
    ]  # fmt: skip
    assert {line["person"] for line in lines} == {"bob"}


def test_many_rows_come_page_by_page(store: Store, other: Store) -> None:
    """450 rankings are three pages; none is missing and none comes twice."""
    rows = [{"prompt": f"p{i}", "chosen": "A", "rejected": "B"} for i in range(450)]
    assert brought(store, "trl-preference", rows).imported == 450
    exported = [line["prompt"][0]["content"] for line in store.export("trl-preference")]
    assert exported == [f"p{i}" for i in range(450)]
    assert len({line.get("id") for line in store.export(OWN) if "candidates" in line}) == 451
    assert brought(other, OWN, store.export(OWN)).imported == 900


def test_an_unknown_format_is_refused_by_name(store: Store) -> None:
    """The error lists the formats."""
    with pytest.raises(StoreError, match=r"trl-preference.*not 'csv'"):
        brought(store, "csv", [])
    with pytest.raises(StoreError, match="not 'csv'"):
        store.export("csv")


LOAD = """
import sys
from datasets import load_dataset
for file in sys.argv[1:]:
    rows = load_dataset("json", data_files=file, split="train")
    print(len(rows))
"""


def test_hugging_faces_datasets_loads_every_file_as_it_is(tmp_path: Path) -> None:
    """As many rows as lines, offline; in a process of its own, which it imports a lot into."""
    store = Store.open(f"sqlite:///{tmp_path / 'rankloop.db'}")
    fill(store)
    files = []
    for format in NAMES:
        files.append(tmp_path / f"{format}.jsonl")
        files[-1].write_text("".join(map(written, store.export(format))))
    store.close()
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, files)],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [int(count) for count in done.stdout.split()] == [LINES[format] for format in NAMES]
