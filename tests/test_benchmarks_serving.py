"""The serving benchmarks, short, against a real server on a tiny model."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import soak, strain
from benchmarks.exactness import measured
from benchmarks.serving import slice_of
from benchmarks.serving_report import Row, as_markdown, draw
from benchmarks.streams import (
    Ask,
    Load,
    Target,
    Timed,
    closed_loop,
    open_loop,
    percentile,
    prompt,
    together,
)
from policy.model import load
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("serving")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        yield server


def test_streams_are_timed(server: Running) -> None:
    """Two streams of two answers of eight tokens: all of them come, and none before it began."""
    load = closed_loop(Target(server.url, "rankloop"), streams=2, each=2, tokens=8)
    assert (len(load.answers), load.failed) == (4, 0)
    assert {answer.tokens for answer in load.answers} == {8}
    assert all(0 < answer.first <= answer.whole <= load.seconds for answer in load.answers)


def test_answers_in_one_request_are_timed(server: Running) -> None:
    """Four at once and four one after another, twice: sixteen answers. How much quicker the
    four are is the benchmark's to say."""
    before = answered(server)
    assert together(Target(server.url, "rankloop"), 4, tokens=16, repeats=2) > 0
    assert answered(server) - before == 16


def answered(server: Running) -> float:
    """Choices that came to their end."""
    lines = server.http.get("/metrics").text.splitlines()
    name = 'rankloop_request_success_total{finished_reason="length"} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_what_fails_is_counted(server: Running) -> None:
    """A model that is not there answers nobody."""
    load = open_loop(Target(server.url, "nobody"), [Ask(4, 8), Ask(4, 8, at=0.01)])
    assert (len(load.answers), load.failed) == (0, 2)


def test_goodput_counts_who_was_served_in_time() -> None:
    """Of three answers one began too late and one went on too slowly; one request failed."""
    good, late, slow = Timed(0.1, [], 0.5, 10), Timed(0.9, [], 1.0, 10), Timed(0.1, [], 2.0, 10)
    assert Load([good, late, slow], 1.0, 1).goodput(0.5, 0.05) == 1 / 4


def test_percentiles() -> None:
    """Of 0 to 100 the 99th is 99; of nothing it is 0."""
    assert percentile(range(101), 99) == 99
    assert percentile([], 50) == 0


def test_no_two_prompts_begin_alike() -> None:
    """Else a server that reuses beginnings would be measured for that."""
    assert len({prompt(20, number).split()[0] for number in range(500)}) == 500


def test_a_trace_is_scaled_to_a_small_model(tmp_path: Path) -> None:
    """An eighth of its tokens; its 200 seconds as 60."""
    file = tmp_path / "trace.csv.gz"
    rows = [
        "TIMESTAMP,ContextTokens,GeneratedTokens",
        "2023-11-16 18:15:00.0000000,400,80",
        "2023-11-16 18:18:20.0000000,8000,8",
    ]
    file.write_bytes(gzip.compress("\n".join(rows).encode()))
    first, last = slice_of(file)
    assert first == Ask(50, 10, 0.0)
    assert (last.words, last.tokens, round(last.at, 6)) == (300, 4, 60.0)


def test_the_table_gives_ratios(tmp_path: Path) -> None:
    """Ours to each side's, and ours to the bare pass: 300 of 400; and there is a picture."""
    rows = [
        Row("1 stream", "rankloop", {"tokens/s": 300.0}),
        Row("1 stream", "rankloop on vllm", {"tokens/s": 190.0}),
        Row("1 stream", "vllm", {"tokens/s": 200.0}),
    ]
    zeros = dict.fromkeys(
        ("TTFT p50, ms", "TTFT p99, ms", "between tokens p50, ms", "between tokens p99, ms"), 0.0
    )
    filled = [
        Row(row.load, row.side, {**row.figures, **zeros, "goodput": 1.0, "failed": 0.0}, 400.0)
        for row in rows
    ]
    table = as_markdown(filled, {"rankloop": 100.0}, 0.4)
    assert table.splitlines()[4].endswith("| 1.50 |")
    assert "of vLLM by itself: 1 stream 95 %." in table
    assert "forward pass on one thread: 1 stream 75 %" in table
    draw(filled, "both", tmp_path / "both.png")
    assert (tmp_path / "both.png").stat().st_size > 10_000


def test_a_short_soak_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Eighty greedy answers over four swaps: each whole, of one version, and that version's own."""
    model = make_tiny(tmp_path / "model")
    soak.main(requests=80, swaps=4, streams=4, tokens=8, model=str(model))
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["requests"], found["failed"], found["mismatches"]) == (80, 0, 0)
    assert found["swaps"] == 4
    assert len(found["answers_by_version"]) >= 2


def test_a_short_strain_is_borne(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four times the capacity for two seconds, then ten clients that leave: nothing but answers and
    503, and nothing is left running."""
    model = make_tiny(tmp_path / "model", max_position_embeddings=2048)
    strain.main(seconds=2, times=4, leavers=10, model=str(model))
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["others"] == {}
    assert found["answered"] > 0
    assert set(found["gauges"].values()) == {0.0}


def test_answers_in_company_are_compared(tmp_path: Path) -> None:
    """In float32 none of eight differs, and the plain pass agrees."""
    found = measured(load(make_tiny(tmp_path)), prompts=8, tokens=12)
    assert found["differ"] == {"8": 0.0, "32": 0.0}
    assert found["logp_gap"] < 1e-5
