"""The labelling queue over HTTP: prompts in, items out, rankings and skips back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import rankloop
from learner.settings import LearnerSettings, RewardSettings
from rankloop import Settings
from server.said.guidelines import OWN, read
from server.said.task_settings import TaskSettings
from server.settings import ServerSettings
from tests.server_running import Running, eventually, running, settings_for
from tests.tiny_models import make_tiny

TOO_MANY_WORDS = 300
"""At a token each, more than the tiny model's context of 256 holds."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("tasks")
    tasks = {"ready": 3, "gold": 0, "repeats": 0, "shared": 0}
    settings = settings_for(folder / "data", make_tiny(folder / "model"), max_tokens=8, tasks=tasks)
    with running(settings) as server:
        yield server


@pytest.fixture
def server(started: Running) -> Running:
    """With nothing left to label: one person has done all of it."""

    def nothing_is_left() -> bool:
        found = following(started, "sweeper")
        if found["task"] is not None:
            rank(started, found["task"], "sweeper")
        return found["task"] is None and not found["preparing"]

    eventually(nothing_is_left)
    return started


@pytest.fixture
def eve(request: pytest.FixtureRequest) -> str:
    """A person who has done nothing before."""
    return f"eve of {request.node.name}"


@pytest.fixture
def bob(request: pytest.FixtureRequest) -> str:
    """Another one."""
    return f"bob of {request.node.name}"


def bring(server: Running, *texts: str, name: str = "") -> dict[str, Any]:
    """Imports prompts, into a set of their own if no name is given."""
    prompts = [{"prompt": text} for text in texts]
    body = {"set": name or uuid4().hex, "prompts": prompts}
    answer = server.http.post("/v1/prompts", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def following(server: Running, user: str, **query: Any) -> dict[str, Any]:
    """What /v1/tasks/next says now."""
    answer = server.http.get("/v1/tasks/next", params={"user": user, **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def item(server: Running, user: str) -> dict[str, Any]:
    """The person's next item, once it is made."""
    eventually(lambda: following(server, user)["task"] is not None)
    task: dict[str, Any] = following(server, user)["task"]
    return task


def ranking(task: dict[str, Any], user: str, **more: Any) -> dict[str, Any]:
    candidates = [answer["id"] for answer in task["answers"]]
    body = {"task_id": task["id"], "candidates": candidates, "ranks": [2, 1, 1, 3], "user": user}
    return {**body, **more}


def rank(server: Running, task: dict[str, Any], user: str, **more: Any) -> Any:
    return server.http.post("/v1/rankings", json=ranking(task, user, **more))


def told_to_clients(server: Running) -> float:
    """Choices that came to their end for whoever asked for them."""
    lines = server.http.get("/metrics").text.splitlines()
    told = [line for line in lines if line.startswith("rankloop_request_success_total{")]
    return sum(float(line.split()[-1]) for line in told)


def test_an_imported_prompt_becomes_a_blind_item(server: Running, eve: str) -> None:
    """Four answers of the live version, which is not named, nor what kind of item it is."""
    assert bring(server, "What is two plus two?")["added"] == 1
    task = item(server, eve)
    assert task["messages"] == [{"role": "user", "content": "What is two plus two?"}]
    assert len(task["answers"]) == 4
    assert set(task) == {"id", "messages", "answers", "criterion", "expires_in_s"}
    assert all(set(answer) == {"id", "text"} for answer in task["answers"])
    stored = server.store.candidate(task["answers"][0]["id"])
    assert (stored.version, stored.params["temperature"]) == ("v0", 1.0)


def test_a_ranking_brings_the_next_item_with_it(server: Running, eve: str) -> None:
    """In the same answer; how it came about is on record."""
    bring(server, "One?", "Two?")
    task = item(server, eve)
    eventually(lambda: server.store.ready_tasks(eve) > 0)
    told = {"seconds": 3.5, "input": "keys", "guidelines": "ab12"}
    answer = rank(server, task, eve, next=True, **told)
    assert answer.status_code == 201, answer.text
    assert answer.json()["next"]["task"]["id"] != task["id"]
    assert answer.json()["next"]["progress"]["today"] == 1
    assert answer.json()["next"]["progress"]["median_s"] == 3.5


def test_people_never_get_the_same_place(server: Running, eve: str, bob: str) -> None:
    """Three items that want one ranking each, three people."""
    bring(server, "One?", "Two?", "Three?")
    assert len({item(server, user)["id"] for user in (eve, bob, eve + bob)}) == 3


def test_an_item_can_be_kept_longer(server: Running, eve: str, bob: str) -> None:
    """By whom it is with: its quarter of an hour begins anew."""
    bring(server, "What is the opposite of wet?")
    task = item(server, eve)
    kept = server.http.post(f"/v1/tasks/{task['id']}/renew", json={"user": eve})
    assert kept.json()["expires_in_s"] == pytest.approx(900, abs=60)
    refused = server.http.post(f"/v1/tasks/{task['id']}/renew", json={"user": bob})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_issued")


def test_an_item_of_another_person_is_refused(server: Running, eve: str, bob: str) -> None:
    """409 for one that was given to somebody else, 404 for one that there is not; a retry is 200
    and the same row."""
    bring(server, "One?")
    task = item(server, eve)
    refused = rank(server, task, bob)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_issued")
    assert rank(server, {**task, "id": "999"}, eve).status_code == 404
    headers = {"idempotency-key": "once"}
    answers = [
        server.http.post("/v1/rankings", json=ranking(task, eve), headers=headers) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json()["id"] == answers[1].json()["id"]


def test_a_skipped_item_goes_to_somebody_else(server: Running, eve: str, bob: str) -> None:
    """With a reason, and the next item in the answer."""
    bring(server, "One?", "Two?")
    task = item(server, eve)
    eventually(lambda: server.store.ready_tasks(eve) > 0)
    body = {"reason": "I cannot judge this", "user": eve, "next": True}
    answer = server.http.post(f"/v1/tasks/{task['id']}/skip", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["next"]["task"]["id"] != task["id"]
    assert item(server, bob)["id"] == task["id"]


def test_what_people_asked_is_labelled_where_nothing_is_imported(server: Running, eve: str) -> None:
    """Fresh answers to a chat's prompt, in its conversation; not to one of a person who did not
    consent. What is made for the queue is nobody's request."""
    before = told_to_clients(server)
    assert following(server, eve)["preparing"] is False
    server.chat("A private matter", user="ann", store=False, max_tokens=4)
    asked = server.chat("Name a colour.", user="ann", max_tokens=4).json()["rankloop"]
    task = item(server, eve)
    assert task["messages"][-1]["content"] == "Name a colour."
    fresh = server.store.candidate(task["answers"][0]["id"])
    logged = server.store.candidate(asked["candidates"][0])
    assert fresh.id != logged.id
    assert (fresh.conversation_id, fresh.person) == (logged.conversation_id, "ann")
    rank(server, task, eve)
    assert following(server, eve) | {"progress": 0} == {
        "object": "task.next",
        "task": None,
        "preparing": False,
        "progress": 0,
    }
    assert told_to_clients(server) == before + 2


def test_whoever_waits_for_an_answer_comes_first(server: Running, eve: str) -> None:
    """While somebody's request is in flight nothing more is made for a person who has an item
    left; afterwards it is."""
    bring(server, "One?", "Two?")
    item(server, eve)
    eventually(lambda: server.store.ready_tasks(eve) == 1)
    server.serving.admit("somebody")
    bring(server, "Three?")
    time.sleep(1.0)
    assert server.store.ready_tasks(eve) == 1
    server.serving.leave("somebody")
    eventually(lambda: server.store.ready_tasks(eve) == 2)


def test_a_prompt_that_the_model_has_no_room_for_holds_nobody_up(server: Running, eve: str) -> None:
    """It is left out, and the one after it is answered."""
    bring(server, "word " * TOO_MANY_WORDS, "One?")
    assert item(server, eve)["messages"][-1]["content"] == "One?"


def test_json_lines_are_a_body_too(server: Running) -> None:
    """The set and the user stand in the query; a line that is no JSON is named."""
    kind = {"content-type": "application/jsonl"}
    lines = '{"prompt": "One?"}\n\n{"messages": [{"role": "user", "content": "Two?"}]}\n'
    answer = server.http.post("/v1/prompts?set=week%202", content=lines, headers=kind)
    assert answer.status_code == 200, answer.text
    assert answer.json() | {"object": ""} == {
        "object": "",
        "set": "week 2",
        "added": 2,
        "known": 0,
        "total": 2,
    }
    wrong = server.http.post("/v1/prompts", content='{"prompt": "a"}\nno', headers=kind)
    assert (wrong.status_code, "Line 2 is not JSON" in wrong.text) == (400, True)


@pytest.mark.parametrize(
    ("prompt", "param"),
    [
        ({}, "prompts[0]"),
        ({"prompt": " "}, "prompts[0]"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, "prompts[0]"),
        ({"messages": []}, "prompts[0].messages"),
    ],
    ids=["neither", "blank", "no-user", "empty"],
)
def test_bad_prompts_are_refused_by_name(
    server: Running, prompt: dict[str, Any], param: str
) -> None:
    """And nothing is stored."""
    answer = server.http.post("/v1/prompts", json={"set": "bad", "prompts": [prompt]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert all(found["set"] != "bad" for found in server.http.get("/v1/prompts").json()["data"])


def test_a_campaign_is_watched_by_set(server: Running, eve: str) -> None:
    """Two prompts, both answered, one of them ranked."""
    bring(server, "One?", "Two?", name="week 7")
    rank(server, item(server, eve), eve)
    item(server, eve)
    sets = server.http.get("/v1/prompts").json()["data"]
    found = next(found for found in sets if found["set"] == "week 7")
    assert (found["prompts"], found["answered"], found["labelled"]) == (2, 2, 1)


def test_gold_is_made_of_stored_answers(server: Running) -> None:
    """By the completion's id, with the ranks that they should get; it is listed."""
    field = server.chat(n=2, max_tokens=4).json()["rankloop"]
    body = {"completion_id": field["completion_id"], "ranks": [2, 1]}
    answer = server.http.post("/v1/tasks/gold", json=body)
    assert answer.status_code == 200, answer.text
    [found] = server.http.get("/v1/tasks/gold").json()["data"]
    assert (found["candidates"], found["ranks"]) == (field["candidates"], [2, 1])


def test_the_desk_says_what_a_person_needs(server: Running, eve: str) -> None:
    """Guidelines with their version, which is the text's digest; criteria; reasons to skip."""
    desk = server.http.get("/v1/tasks", params={"user": eve}).json()
    assert desk["guidelines"] == {"text": read(None).text, "version": read(None).version}
    assert desk["criteria"] == ["helpful", "honest", "harmless"]
    assert desk["progress"] == {"today": 0, "done": 0, "waiting": 0, "median_s": None}
    assert len(desk["skips"]) >= 3


def test_guidelines_of_ones_own(tmp_path: Path) -> None:
    """Another text has another version; an empty one is refused."""
    path = tmp_path / "guidelines.txt"
    path.write_text("The shorter, the better.")
    assert read(path).text == "The shorter, the better."
    assert read(path).version != read(OWN).version
    path.write_text(" ")
    with pytest.raises(ValueError, match="1 to 20000 characters"):
        read(path)


def test_more_answers_are_drawn_than_shown(tmp_path: Path) -> None:
    """Six for an item of three: one completion of six, whose others its person is not shown."""
    tasks = {"ready": 1, "gold": 0, "repeats": 0, "answers": 3, "drawn": 6}
    settings = Settings(
        data=tmp_path / "data",
        model=str(make_tiny(tmp_path / "model")),
        server=ServerSettings(port=0, pairing="informative", tasks=TaskSettings(**tasks)),
        learner=LearnerSettings(reward=RewardSettings(heads=2)),
    )
    with running(settings) as server:
        bring(server, "Hi")
        task = item(server, "eve")
        shown = {answer["id"] for answer in task["answers"]}
        completion = next(iter(shown)).rpartition("-")[0]
        assert len(shown) == 3
        assert shown < {f"{completion}-{place}" for place in range(6)}
        for place in range(6):
            assert server.store.candidate(f"{completion}-{place}").params["n"] == 6
        assert rank(server, task, "eve", ranks=[1, 2, 2]).status_code == 201


def test_a_criterion_that_nobody_knows_is_refused(server: Running) -> None:
    """Nothing would be learned of it: 400, naming it and those that there are."""
    for path, body in (
        ("/v1/prompts", {"prompts": [{"prompt": "Hi"}], "criteria": ["helpfull"]}),
        ("/v1/rankings", {"completion_id": "c", "ranks": [1, 2], "criterion": "helpfull"}),
    ):
        answer = server.http.post(path, json=body)
        said = answer.json()["error"]["message"]
        assert (answer.status_code, "'helpfull' is none of helpful, honest" in said) == (400, True)


def test_the_command_imports_a_file(
    server: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two prompts, one of them known the second time that the file has grown."""
    file = tmp_path / "prompts.jsonl"
    port = server.url.rpartition(":")[2]
    command = ["import", str(file), "--format", "prompts", "--set", "file", "--server.port", port]
    for text in ("One?", "Two?"):
        with file.open("a") as lines:
            lines.write(json.dumps({"prompt": text}) + "\n")
        with pytest.raises(SystemExit) as ended:
            rankloop.main(command)
        assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines() == ["file: 1 new, 0 known", "file: 1 new, 1 known"]
