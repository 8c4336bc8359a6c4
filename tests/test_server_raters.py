"""Raters, what rounds counted for less, and versions compared, over HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback.records import DownWeighting, Reason
from feedback.trust.alarm import ALARM
from tests.feedback_databases import a_generation
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Ann, bob and eve have ranked the same four answers, and a round counted them unlike."""
    folder: Path = tmp_path_factory.mktemp("raters")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        store, ids = server.store, []
        store.record_generation(a_generation("c1"))
        for person, ranks in (("ann", [1, 2, 3, 4]), ("bob", [1, 2, 3, 4]), ("e/ve", [4, 3, 2, 1])):
            ids.append(store.add_ranking(person=person, completion_id="c1", ranks=ranks).id)
        store.request_round(trigger="operator", actor="ann")
        claim = store.claim_round("h", 60)
        assert claim is not None
        down = [
            DownWeighting(ids[0], "ann", 0.5, "newcomer: 1 of 8"),
            DownWeighting(ids[2], "e/ve", 0.0, "skill: right in 0.1"),
        ]
        store.use_rankings(claim, ids, down)
        alarm = Reason(ALARM, False, 1 / 3, 0.1, "a third was left out")
        store.finish_round(claim, outcome="needs_feedback", reasons=[alarm])
        yield server


def test_everybody_who_ranked_is_there(server: Running) -> None:
    """By name, with what they weighed in the last round and why it was less."""
    found = server.http.get("/v1/raters").json()
    assert (found["object"], found["round"]) == ("list", 1)
    assert found["alpha"] is not None
    assert found["alpha"] < 0.5
    ann, bob, eve = found["data"]
    assert [ann["id"], bob["id"], eve["id"]] == ["ann", "bob", "e/ve"]
    assert [one["round_weight"] for one in (ann, bob, eve)] == [0.5, 1.0, 0.0]
    assert (ann["lighter"], ann["left_out"]) == ({"newcomer: 1 of 8": 1}, {})
    assert (eve["lighter"], eve["left_out"]) == ({}, {"skill: right in 0.1": 1})
    # ann agrees with bob (1) and not with eve (-1)
    assert (ann["tau_b"], eve["tau_b"]) == (0.0, -1.0)
    assert eve["skill"] < 0.1
    assert (ann["trust"], ann["checked"]) == (1.0, 1)  # nobody has enough to be held against
    assert ann["gold"] == {"share": None, "of": 0}


def test_one_rater_by_name(server: Running) -> None:
    """Whatever is in the name; somebody unknown is 404."""
    assert server.http.get("/v1/raters/e%2Fve").json()["id"] == "e/ve"
    assert server.http.get("/v1/raters/ann").json()["rankings"] == 1
    assert server.http.get("/v1/raters/ivy").status_code == 404


def test_a_round_counts_what_weighed_less(server: Running) -> None:
    """One left out of three, one lighter; its inputs say why, and the learner shows the alarm."""
    seen = server.http.get("/v1/rounds/1").json()
    assert (seen["rankings"], seen["distrusted"], seen["lighter"]) == (2, 1, 1)
    inputs = server.http.get("/v1/rounds/1/inputs").json()["data"]
    assert [one["weight"] for one in inputs] == [0.5, 1.0, 0.0]
    assert [one["reason"] for one in inputs] == ["newcomer: 1 of 8", None, "skill: right in 0.1"]
    assert server.http.get("/v1/learner").json()["alarm"] == "a third was left out"


def test_what_was_left_out_waits_no_longer(server: Running) -> None:
    """It was looked at: it must not start rounds for ever."""
    assert server.http.get("/v1/learner").json()["waiting"]["rankings"] == 0


def test_a_round_without_somebody_is_one_command(server: Running) -> None:
    """What ann's and bob's rankings weighed is written down for it, e/ve's are not there."""
    port = server.url.rpartition(":")[2]
    command = [sys.executable, "-m", "rankloop", "rounds", "repeat", "1", "--without", "e/ve"]
    done = subprocess.run(
        [*command, "--server.port", port], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    inputs = server.http.get("/v1/rounds/2/inputs").json()["data"]
    assert [(one["person"], one["weight"]) for one in inputs] == [("ann", 0.5), ("bob", 1.0)]
    assert inputs[0]["reason"] == "newcomer: 1 of 8"
    assert server.http.post("/v1/rounds/2/cancel").json()["state"] == "cancelled"


def test_versions_are_compared_where_answers_of_several_were_ranked(server: Running) -> None:
    """None before; then v1, whose two answers were put above v0's two by two people."""
    none = server.http.get("/v1/versions/compared").json()
    assert (none["data"], none["baseline"]) == ([], None)
    for id, version in (("d0", "v0"), ("d1", "v1")):
        server.store.record_generation(a_generation(id, prompt="same", version=version, n=2))
    for person in ("ann", "bob"):
        ids = ["d0-0", "d0-1", "d1-0", "d1-1"]
        server.store.add_ranking(person=person, candidates=ids, ranks=[2, 2, 1, 1])
    found = server.http.get("/v1/versions/compared").json()
    first, second = found["data"]
    assert (first["version"], first["wins"], first["losses"], first["ties"]) == ("v1", 8, 0, 0)
    assert (second["version"], second["strength"]["value"]) == ("v0", 0.0)
    assert first["strength"]["low"] < first["strength"]["value"] < first["strength"]["high"]
    assert (found["baseline"], found["rankings"], found["pairs"]) == ("v0", 2, 8)
    assert set(found["style"]) == {"length", "lists", "headings"}
