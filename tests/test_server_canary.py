"""Trying a version on some of the people, over HTTP, beside a server that answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from learner.settings import LearnerSettings
from rankloop import Settings
from server.operate.canary import chosen
from server.operate.canary_settings import CanarySettings
from server.said.task_settings import TaskSettings
from server.settings import ServerSettings
from tests.server_running import Running, chat_body, eventually, running
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Decides after four untied comparisons; no gold, no repeats, no items of several people."""
    folder = tmp_path_factory.mktemp("canary")
    tasks = TaskSettings(ready=2, shared=0.0, gold=0.0, repeats=0.0)
    settings = Settings(
        data=folder / "data",
        model=str(make_tiny(folder / "model")),
        server=ServerSettings(port=0, tasks=tasks, canary=CanarySettings(least=4)),
        learner=LearnerSettings(mode="canary"),
    )
    with running(settings) as server:
        yield server


def try_out(server: Running, id: str, **more: Any) -> Any:
    body = {"reason": "looks good", **more}
    return server.http.post(f"/v1/versions/{id}/canary", json=body)


def begun(server: Running, share: float = 0.5) -> str:
    """A new version on trial that answers."""
    id = server.publish(0.05)
    assert try_out(server, id, share=share).status_code == 200
    eventually(lambda: server.serving.canary_id == id)
    return id


def trial(server: Running) -> Any:
    return server.http.get("/v1/canary").json()["canary"]


def a_person(version: str, share: float, *, tried: bool) -> str:
    """The first name that is, or is not, among the share."""
    names = (f"person {number}" for number in range(1000))
    return next(name for name in names if chosen(name, version, share) is tried)


def end(server: Running, id: str) -> None:
    server.http.post(f"/v1/versions/{id}/reject", json={"reason": "the test is over"})
    eventually(lambda: server.serving.canary_id is None)


def rank_all(server: Running, best: str, count: int) -> None:
    """Ranks mixed items until so many are ranked, the answers of `best` above the others."""
    for number in range(count):
        prompts = [{"prompt": f"{best}: question {number}?"}]
        server.http.post("/v1/prompts", json={"set": best, "prompts": prompts, "user": "eve"})
    while count:
        task = next_item(server)
        ids = [answer["id"] for answer in task["answers"]]
        of = [server.store.candidate(id).version for id in ids]
        mixed = len(set(of)) == 2  # one that was made between two trials is not
        assert [of.count(version) for version in set(of)] == ([2, 2] if mixed else [4])
        count -= mixed and best in of
        ranks = [1 if version == best else 2 for version in of]
        body = {"task_id": task["id"], "candidates": ids, "ranks": ranks, "user": "eve"}
        assert server.http.post("/v1/rankings", json=body).status_code == 201


def next_item(server: Running) -> Any:
    """The item to rank next, once there is one."""
    found: list[Any] = [None]

    def is_there() -> bool:
        found[0] = server.http.get("/v1/tasks/next?user=eve").json()["task"]
        return found[0] is not None

    eventually(is_there)
    return found[0]


def test_a_person_always_gets_the_same_version() -> None:
    """By name and version: of 2,000 people 10 % (give or take three deviations, .02) are chosen,
    and of another version others.
    """
    people = [f"person {number}" for number in range(2000)]
    tried = {person for person in people if chosen(person, "v1", 0.1)}
    assert abs(len(tried) / 2000 - 0.1) < 0.02
    assert tried == {person for person in people if chosen(person, "v1", 0.1)}
    others = {person for person in people if chosen(person, "v2", 0.1)}
    assert len(tried & others) < len(tried) / 2


def test_some_people_chat_with_the_canary_and_the_others_with_the_live_version(
    server: Running,
) -> None:
    """Its answers name it; who asks for a version by name, or continues a text, gets what they
    asked for.
    """
    id = begun(server)
    some, other = (a_person(id, 0.5, tried=tried) for tried in (True, False))
    for person, version in ((some, id), (other, "v0")):
        answer = server.chat(max_tokens=1, user=person)
        assert answer.headers["x-rankloop-version"] == version
    named = server.chat(max_tokens=1, user=some, model="rankloop@v0")
    assert named.headers["x-rankloop-version"] == "v0"
    body = {"model": "rankloop", "prompt": "Once", "max_tokens": 1, "user": some}
    text = server.http.post("/v1/completions", json=body)
    assert text.headers["x-rankloop-version"] == "v0"
    end(server, id)
    assert server.chat(max_tokens=1, user=some).headers["x-rankloop-version"] == "v0"


def test_a_second_canary_is_refused_with_both_named(server: Running) -> None:
    """409, as for any move that the table does not have."""
    id, other = begun(server), server.publish(0.05)
    refused = try_out(server, other)
    assert refused.status_code == 409
    assert refused.json()["error"]["message"] == (
        f"{other} is verified and cannot become canary: {id} is canary"
    )
    assert try_out(server, "v0").json()["error"]["code"] == "illegal_move"
    end(server, id)


@pytest.mark.parametrize("share", [0, 0.6, "some"])
def test_a_share_that_is_none_is_refused(server: Running, share: object) -> None:
    """More than half of the people would be no trial."""
    assert try_out(server, "v0", share=share).status_code == 400


def test_a_worse_canary_ends_by_itself(server: Running) -> None:
    """Items are half its own and half the live version's; eleven that put it below end the trial
    within seconds, with the figures on record.
    """
    id = begun(server)
    rank_all(server, "v0", 11)
    eventually(lambda: server.store.version(id).state == "rejected", within_s=30)
    last = server.http.get(f"/v1/versions/{id}").json()["events"][-1]
    assert last["actor"] == "canary"
    assert last["evidence"]["losses"] >= 4
    assert trial(server) is None


def test_how_a_trial_stands_is_told(server: Running) -> None:
    """Comparisons with the interval, what decides, and thumbs and stops of both versions."""
    id = begun(server, share=0.2)
    person = a_person(id, 0.2, tried=True)
    answer = server.chat(max_tokens=1, user=person).json()
    thumb = {"candidate": answer["rankloop"]["candidates"][0], "up": True, "user": person}
    server.http.post("/v1/thumbs", json=thumb)
    stop(server, person)
    eventually(lambda: trial(server)["versions"][id]["stopped"] == 1)
    stands = trial(server)
    assert (stands["version"], stands["live"], stands["share"]) == (id, "v0", 0.2)
    assert stands["comparisons"] == {"wins": 0, "losses": 0, "ties": 0}
    assert stands["win_rate"] == {"value": None, "low": 0.0, "high": 1.0}
    assert (stands["needed"], stands["better"], stands["promotes"]) == (4, None, True)
    expected = {"answers": 1, "stopped": 1, "thumbs_up": 1, "thumbs_down": 0}
    assert stands["versions"][id] == expected
    end(server, id)


def stop(server: Running, person: str) -> None:
    """Leaves a stream after its first frame."""
    body = chat_body(user=person, stream=True, max_tokens=200, ignore_eos=True, n=4)
    with server.http.stream("POST", "/v1/chat/completions", json=body) as stream:
        next(stream.iter_lines())


def test_a_canary_that_is_broken_is_rejected(server: Running) -> None:
    """Nobody gets it, and the reason is on record."""
    id = server.publish(0.05)
    weights = server.versions.folder(id) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert try_out(server, id).status_code == 200
    eventually(lambda: server.store.version(id).state == "rejected")
    assert "cannot be served" in server.store.version(id).events[-1].reason
    assert server.chat(max_tokens=1).headers["x-rankloop-version"] == "v0"


def test_a_better_canary_goes_live_in_mode_canary(server: Running) -> None:
    """Eleven items that put it above; nobody had pinned v0."""
    id = begun(server)
    rank_all(server, id, 11)
    eventually(lambda: server.serving.current_id == id, within_s=30)
    assert server.http.get(f"/v1/versions/{id}").json()["pinned_by"] is None
