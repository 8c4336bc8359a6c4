"""What an operator is told is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from feedback.records import Reason
from server.operate.alarms import LOOKS
from tests.feedback_databases import execute
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("alarms")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        yield server


def names(server: Running) -> set[str]:
    """The alarms that the route lists, which are those that the gauges show."""
    listed = {alarm["name"] for alarm in server.http.get("/v1/alarms").json()["data"]}
    text = server.http.get("/metrics").text
    shown = dict(re.findall(r'^rankloop_alarm\{name="(\w+)"\} (\d)', text, re.MULTILINE))
    assert set(shown) == set(LOOKS)
    assert {name for name, value in shown.items() if value == "1"} == listed
    return listed


def test_nothing_is_wrong_at_first(server: Running) -> None:
    """A learner that was never there is not dead."""
    assert names(server) == set()


def test_three_rejected_rounds_raise_one_alarm(server: Running) -> None:
    """Not two. The last one's distance was over its limit, and that is another alarm."""
    far = Reason("kl", False, 9.0, 8.0, "9.00 nats per reply from v0; the limit is 8.")
    for count in (1, 2, 3):
        server.store.request_round(trigger="operator", actor="ann")
        claim = server.store.claim_round("learner", 60)
        assert claim is not None
        server.store.finish_round(claim, outcome="rejected", reasons=[far] if count == 3 else [])
        assert names(server) == ({"rounds_rejected", "kl"} if count == 3 else set())
    said = server.http.get("/v1/learner").json()["alarms"]
    assert said == ["The last 3 rounds were rejected; the newest is round 3.", far.text]


def test_a_learner_that_died_in_a_round_is_told_of(server: Running, tmp_path: Path) -> None:
    """Silent for more than 30 s, and its lease has run out."""
    url = server.serving.settings.database.resolve(server.serving.settings.data)
    server.store.request_round(trigger="operator", actor="ann")
    claim = server.store.claim_round("learner", 60)
    assert claim is not None
    server.store.heartbeat(holder="learner", state="running")
    assert not {"learner_dead", "lease_lost"} & names(server)
    execute(url, "UPDATE learner SET heartbeat_at = heartbeat_at - 31")
    execute(url, "UPDATE lease SET expires_at = 0")
    assert {"learner_dead", "lease_lost"} <= names(server)


def test_a_learner_that_beats_and_stands_still_is_told_of(server: Running) -> None:
    """A quarter of an hour without a step; the round is named where there is one."""
    server.store.heartbeat(holder="learner", state="idle", still_s=899)
    assert "no_progress" not in names(server)
    server.store.heartbeat(holder="learner", state="idle", still_s=901)
    assert "no_progress" in names(server)
    server.store.request_round(trigger="operator", actor="ann")
    claim = server.store.claim_round("learner", 60)
    assert claim is not None
    told = {a["name"]: a["text"] for a in server.http.get("/v1/alarms").json()["data"]}
    said = f"The learner lives, and round {claim.round_id} has not gone on for 15 minutes."
    assert told["no_progress"] == said


def test_every_alarm_has_a_rule_and_an_entry() -> None:
    """The rules name alarms that there are, and entries that there are."""
    runbook = (ROOT / "docs" / "operations.md").read_text()
    entries = set(re.findall(r"^### (\w+)$", runbook, re.MULTILINE))
    [group] = yaml.safe_load((ROOT / "prometheus" / "rules.yml").read_text())["groups"]
    named = [re.findall(r'rankloop_alarm\{name="(\w+)"\}', rule["expr"]) for rule in group["rules"]]
    assert {name for [name] in filter(None, named)} == set(LOOKS)
    linked = {rule["annotations"]["runbook"].split("#")[1] for rule in group["rules"]}
    assert linked == entries
    assert entries >= set(LOOKS)
