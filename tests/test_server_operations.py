"""The learner, rounds, versions and candidates over HTTP, with a learner's own calls on the store
behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import rankloop
from feedback.records import Claim, Reason
from tests.openai_schemas import check
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(settings_for(tmp_path / "data", make_tiny(tmp_path / "model"))) as server:
        yield server


def test_learner_tells_its_state(server: Running) -> None:
    """No heartbeat yet, then one that says what is missing, then a pause and its end."""
    assert server.http.get("/v1/learner").json()["state"] == "starting"
    server.store.heartbeat(holder="h", state="idle", next_run_at=5.0, missing="a bigger machine")
    seen = server.http.get("/v1/learner").json()
    assert (seen["object"], seen["state"], seen["next_run_at"]) == ("learner", "idle", 5.0)
    assert (seen["trainable"], seen["missing"]) == (False, "a bigger machine")
    assert seen["waiting"] == {
        "rankings": 0,
        "oldest_s": None,
        "needed": 32,
        "demonstrations": 0,
        "demonstrations_needed": 16,
        "thumbs": 0,
    }
    assert server.http.post("/v1/learner/pause").json()["state"] == "paused"
    assert server.http.post("/v1/learner/resume", json={"user": "ada"}).json()["state"] == "idle"


def test_round_from_request_to_decision(server: Running) -> None:
    """Queued, running with its stage and lease to be seen, then done with its reasons."""
    answer = server.http.post("/v1/rounds", json={"stages": ["reward", "ppo"]})
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    id = answer.json()["id"]
    assert server.http.post("/v1/rounds").json()["id"] == id
    claim = server.store.claim_round("h", 60)
    assert claim is not None
    server.store.heartbeat(holder="h", state="running")
    server.store.progress(claim, stage="ppo", step=3, steps=10, eta_s=7.0)
    server.store.add_metrics(claim, stage="ppo", step=3, values={"reward": 0.5})
    learner = server.http.get("/v1/learner").json()
    assert (learner["round"], learner["stage"], learner["step"]) == (id, "ppo", 3)
    assert learner["lease"]["holder"] == "h"
    reason = Reason("win rate", False, 0.4, 0.5, "it wins too seldom")
    server.store.finish_round(claim, outcome="needs_feedback", reasons=[reason])
    seen = server.http.get(f"/v1/rounds/{id}").json()
    assert (seen["object"], seen["state"], seen["outcome"]) == ("round", "done", "needs_feedback")
    assert seen["reasons"][0]["text"] == "it wins too seldom"
    assert server.http.get("/v1/rounds").json()["data"] == [seen]
    [point] = server.http.get(f"/v1/rounds/{id}/metrics").json()["data"]
    assert (point["stage"], point["step"], point["values"]) == ("ppo", 3, {"reward": 0.5})


def test_queued_round_is_cancelled(server: Running) -> None:
    """No learner holds it, so it ends at once; the next request makes a new one."""
    id = server.http.post("/v1/rounds").json()["id"]
    assert server.http.post(f"/v1/rounds/{id}/cancel").json()["state"] == "cancelled"
    assert server.http.post("/v1/rounds").json()["id"] == id + 1


def claimed(server: Running, *people: str) -> Claim:
    """A claim on a round that uses a ranking of each of these people."""
    store, ids = server.store, []
    for person in people:
        candidates = server.chat("Hello!", n=2, user=person).json()["rankloop"]["candidates"]
        ids.append(store.add_ranking(person=person, candidates=candidates, ranks=[1, 2]).id)
    server.http.post("/v1/rounds")
    claim = store.claim_round("h", 60)
    assert claim is not None
    store.use_rankings(claim, ids)
    return claim


def test_a_round_is_repeated_without_somebody(server: Running) -> None:
    """With what each had given, once it is over; until then the answer is that it is not."""
    claim = claimed(server, "ann", "bob")
    asked = {"repeat": claim.round_id, "without": ["bob"], "user": "eve"}
    refused = server.http.post("/v1/rounds", json=asked)
    assert (refused.status_code, refused.json()["error"]["param"]) == (409, "repeat")
    server.store.finish_round(claim, outcome="rejected")
    answer = server.http.post("/v1/rounds", json=asked)
    again = answer.json()
    assert answer.status_code == 202
    assert (again["repeat_of"], again["without"]) == (claim.round_id, ["bob"])
    first, second = (
        server.http.get(f"/v1/rounds/{id}/inputs").json()["data"]
        for id in (claim.round_id, again["id"])
    )
    assert [(given["person"], given["weight"]) for given in first] == [("ann", 1.0), ("bob", 1.0)]
    assert second == first[:1]


def test_the_command_repeats_a_round_too(server: Running) -> None:
    """People are left out by a flag each; what the server refuses is its one line, and status 2."""
    claim = claimed(server, "ann", "bob", "eve")
    server.store.finish_round(claim, outcome="rejected")
    port = ["--server.port", server.url.rpartition(":")[2]]
    repeat = ["rounds", "repeat", str(claim.round_id), *port]
    with pytest.raises(SystemExit) as refused:
        rankloop.main([*repeat, "--without", "dan"])
    assert refused.value.code == 2
    with pytest.raises(SystemExit) as done:
        rankloop.main([*repeat, "--without", "bob", "--without", "eve"])
    assert done.value.code == 0
    assert server.store.rounds()[0].without == ("bob", "eve")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"repeat": 1, "stages": ["ppo"]}, "repeat"),
        ({"without": ["bob"]}, "without"),
        ({"repeat": 0}, "repeat"),
    ],
)
def test_what_repeats_nothing_is_refused(
    untouched: Running, body: dict[str, object], param: str
) -> None:
    """It names the field that does not go with the others."""
    answer = untouched.http.post("/v1/rounds", json=body)
    check(answer.json(), "ErrorResponse")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all requests that change nothing."""
    folder: Path = tmp_path_factory.mktemp("untouched")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/rounds/7", 404),
        ("GET", "/v1/rounds/7/metrics", 404),
        ("GET", "/v1/rounds/7/inputs", 404),
        ("POST", "/v1/rounds/7/cancel", 404),
        ("GET", "/v1/rounds/x", 400),
        ("GET", "/v1/rounds/99999999999999999999", 400),
        ("GET", "/v1/versions/v7", 404),
        ("GET", "/v1/versions/%00", 400),
        ("GET", "/v1/candidates/x", 404),
        ("POST", "/v1/versions/rollback", 400),
        ("POST", "/v1/versions/v0/promote", 400),
        ("DELETE", "/v1/versions/v0", 405),
        ("GET", "/v1/rounds?limit=0", 400),
    ],
)
def test_wrong_ids_and_missing_reasons(
    untouched: Running, method: str, path: str, status: int
) -> None:
    """Each in OpenAI's shape."""
    answer = untouched.http.request(method, path)
    check(answer.json(), "ErrorResponse")
    assert answer.status_code == status


def test_reason_is_required_and_kept(server: Running) -> None:
    """A blank one is none; who gave it, and what, is an event of the version."""
    id = server.publish(0.05)
    for body in ({}, {"reason": ""}, {"reason": "  "}, {"reason": None}):
        answer = server.http.post(f"/v1/versions/{id}/promote", json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "reason")
    body = {"reason": "it is kinder", "user": "ada"}
    version = server.http.post(f"/v1/versions/{id}/promote", json=body).json()
    assert (version["object"], version["id"], version["live"]) == ("version", id, True)
    event = version["events"][-1]
    assert (event["from"], event["to"], event["actor"]) == ("verified", "live", "ada")
    assert event["reason"] == "it is kinder"


def test_versions_are_listed_with_state_and_residence(server: Running) -> None:
    """v0 is live and in memory; v1 is verified and is not."""
    id = server.publish(0.05)
    listing = server.http.get("/v1/versions").json()
    seen = [(v["id"], v["state"], v["live"], v["resident"]) for v in listing["data"]]
    assert seen == [("v0", "live", True, True), (id, "verified", False, False)]


def test_rejected_version_cannot_be_live_by_rejecting_the_live(server: Running) -> None:
    """A version that is not live can be rejected; the live one must be rolled back."""
    id = server.publish(0.05)
    answer = server.http.post(f"/v1/versions/{id}/reject", json={"reason": "rude"})
    assert answer.json()["state"] == "rejected"
    answer = server.http.post("/v1/versions/v0/reject", json={"reason": "rude"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "illegal_move")


def test_rollback_with_nothing_before_is_refused(server: Running) -> None:
    """v0 is the first."""
    answer = server.http.post("/v1/versions/rollback", json={"reason": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "illegal_move")


def test_candidate_shows_its_tokens(server: Running) -> None:
    """As stored: as many log-probabilities as tokens, by the version that the answer named."""
    field = server.chat(n=2, seed=9).json()["rankloop"]
    for index, id in enumerate(field["candidates"]):
        seen = server.http.get(f"/v1/candidates/{id}").json()
        assert (seen["object"], seen["id"], seen["index"]) == ("candidate", id, index)
        assert seen["completion_id"] == field["completion_id"]
        assert (seen["version"], seen["digest"], seen["seed"]) == ("v0", field["digest"], 9)
        assert len(seen["tokens"]) == len(seen["logprobs"]) == len(seen["raw_logprobs"])


def test_a_candidate_shows_its_rewards(server: Running) -> None:
    """None at first; asking has it scored next, and then it shows what was found."""
    [id] = server.chat(n=1, max_tokens=4).json()["rankloop"]["candidates"]
    server.store.register_version("r1", digest="d", parent="v0", kind="reward")
    server.chat(n=1, max_tokens=4)
    assert server.http.get(f"/v1/candidates/{id}").json()["rewards"] == {}
    assert server.store.unscored("r1", 1)[0].id == id
    figures = {"total": 0.75, "ranking": 0.75}
    server.store.add_rewards("r1", {id: figures})
    assert server.http.get(f"/v1/candidates/{id}").json()["rewards"] == {"r1": figures}
