"""The queueing of benchmarks.scale against what can be reckoned by hand, and what it prints."""

from __future__ import annotations

import gzip
import json
import random
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import scale, scale_record
from benchmarks.scale_queue import Ask, Speed, at_rate, needed, read_trace, simulate

TEN = Speed(((1, 10.0), (2, 20.0)))


def test_one_request_takes_its_prompt_and_its_answer() -> None:
    """20 tokens of prompt at 20 a second, 10 of answer at 10: first token after 1 s, end at 2."""
    [work] = simulate([Ask(5.0, 20, 10)], 1, TEN, rows=2).works
    assert work.waited == pytest.approx(1.0)
    assert work.ended_at == pytest.approx(7.0)
    assert work.pace == pytest.approx(10.0)


def test_two_share_a_server() -> None:
    """Prompts at half speed, 2 s; answers together at 20, so 10 each, 1 s."""
    works = simulate([Ask(0.0, 20, 10)] * 2, 1, TEN, rows=2).works
    assert [work.waited for work in works] == pytest.approx([2.0, 2.0])
    assert [work.ended_at for work in works] == pytest.approx([3.0, 3.0])


def test_who_finds_no_row_waits_in_line() -> None:
    """With one row the second begins when the first has ended, at 2 s."""
    works = simulate([Ask(0.0, 20, 10)] * 2, 1, TEN, rows=1).works
    assert [work.waited for work in works] == pytest.approx([1.0, 3.0])


def test_a_second_server_takes_the_second_request() -> None:
    """Each as if it were alone; both servers busy for 2 of 2 s."""
    outcome = simulate([Ask(0.0, 20, 10)] * 2, 2, TEN, rows=2)
    assert [work.ended_at for work in outcome.works] == pytest.approx([2.0, 2.0])
    assert outcome.busy == pytest.approx(1.0)


def test_shared_service_is_that_of_the_textbook() -> None:
    """Random arrivals on a server whose whole speed never changes: a request of 1 s stays for
    1 / (1 - load) on average, 2 s at one half (Kleinrock 1967).
    """
    rng, at, asks = random.Random(3), 0.0, []
    for _ in range(20_000):
        at += rng.expovariate(0.5)
        asks.append(Ask(at, 1, 100))
    works = simulate(asks, 1, Speed(((1, 101.0),)), rows=10_000).works
    stay = sum(work.ended_at - work.ask.at for work in works) / len(works)
    assert stay == pytest.approx(2.0, rel=0.06)


def test_the_fewest_servers_that_are_good_enough() -> None:
    """Eight at once, each alone within 1 s of its first token: one server for each."""
    asks = [Ask(0.0, 20, 10)] * 8
    count, outcome = needed(asks, TEN, 2, lambda found: found.waited(1.0) <= 1.01)
    assert count == 8
    assert outcome.waited(1.0) == pytest.approx(1.0)


def test_a_trace_keeps_its_bursts_at_any_rate(tmp_path: Path) -> None:
    """Three requests in 4 s, the first two together; at 3 a second they come in 1 s."""
    file = tmp_path / "trace.csv.gz"
    with gzip.open(file, "wt") as out:
        out.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        out.write("2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:46.6805900,16,8\n")
        out.write("2023-11-16 18:15:50.6805900,80,40\n")
    asks = read_trace(file)
    assert asks[1:] == [Ask(0.0, 16, 8), Ask(4.0, 80, 40)]
    assert at_rate(asks, 3.0, 0.5)[1:] == [Ask(0.0, 8, 4), Ask(1.0, 40, 20)]


def test_speeds_are_read_from_the_measured_table() -> None:
    """docs/performance.md is where they stand; more streams give more tokens."""
    speed = scale.measured("rankloop")
    assert [streams for streams, _ in speed.points] == [1, 8, 32]
    assert sorted(rate for _, rate in speed.points) == [rate for _, rate in speed.points]


def test_bytes_are_those_of_a_real_record(tmp_path: Path) -> None:
    """A comparison of four answers of 20 tokens holds at least their tokens: 12 bytes each, 960."""
    growth = scale_record.measure(f"sqlite:///{tmp_path / 'r.db'}", 30, 20, count=40)
    assert growth.ranking > 960
    assert 0 < growth.request < growth.ranking


def test_what_it_prints_ends_with_one_object(tmp_path: Path) -> None:
    """For a trace of a minute and a few users."""
    with gzip.open(tmp_path / scale.TRACE, "wt") as out:
        out.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for second in range(60):
            out.write(f"2023-11-16 18:15:{second:02}.0000000,400,80\n")
    arguments = ["--data", str(tmp_path), "--users", "10,100000", "--lengths", "0.5"]
    arguments += ["--rows-measured", "20"]
    ran = CliRunner().invoke(scale.app, arguments)
    assert ran.exit_code == 0, ran.output
    record = json.loads(ran.output.splitlines()[-1])
    few, many = record["users"]
    assert few["servers"] == 1
    assert many["servers"] > 1
    assert many["first_token_p95"] <= record["goal"]["first_token"]
    assert re.search(r"^\| 100,000 \|", ran.output, re.MULTILINE)


def test_without_the_trace_it_says_what_it_looks_for(tmp_path: Path) -> None:
    """One line."""
    ran = CliRunner().invoke(scale.app, ["--data", str(tmp_path)])
    assert ran.exit_code != 0
    assert scale.TRACE in ran.output
