"""Two versions on one prompt, blind, and whether it is getting better, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With v1 and v2 beside v0, one after the other live."""
    folder: Path = tmp_path_factory.mktemp("battles")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        for seed in range(2):
            server.promote(server.publish(0.05, seed))
        yield server


def fight(server: Running, *versions: str, text: str | None = "Hello!", **more: Any) -> Any:
    body: dict[str, Any] = {"versions": list(versions), "max_tokens": 8, **more}
    if text is not None:
        body["messages"] = [{"role": "user", "content": text}]
    return server.http.post("/v1/battles", json=body)


def test_nothing_can_be_drawn_where_nobody_has_asked(server: Running) -> None:
    """The answer says what to do."""
    answer = fight(server, "v0", "v1", text=None)
    assert answer.status_code == 404
    assert "type a prompt" in answer.json()["error"]["message"]


def test_two_answers_come_without_names(server: Running) -> None:
    """Each is of one of the two, and only its record says of which."""
    answer = fight(server, "v0", "v1").json()
    assert set(answer) == {"object", "messages", "answers"}
    assert [set(given) for given in answer["answers"]] == [{"id", "text"}] * 2
    ids = [given["id"] for given in answer["answers"]]
    assert {server.store.candidate(id).version for id in ids} == {"v0", "v1"}


def test_the_order_says_nothing(server: Running) -> None:
    """Of sixteen battles v0 is first in some and not in others; the chance of not is 1 in
    32,768.
    """
    battles = [fight(server, "v0", "v1").json()["answers"] for _ in range(16)]
    firsts = {server.store.candidate(answers[0]["id"]).version for answers in battles}
    assert firsts == {"v0", "v1"}


def test_a_verdict_counts_in_the_comparison(server: Running) -> None:
    """v2 above v1 once: one ranking, one pair more."""
    before = server.http.get("/v1/versions/compared").json()["pairs"]
    ids = [given["id"] for given in fight(server, "v1", "v2", user="eve").json()["answers"]]
    ids.sort(key=lambda id: server.store.candidate(id).version, reverse=True)
    body = {"candidates": ids, "ranks": [1, 2], "blind": True, "shown": ids, "user": "eve"}
    assert server.http.post("/v1/rankings", json=body).status_code == 201
    compared = server.http.get("/v1/versions/compared").json()
    assert compared["pairs"] == before + 1
    data = {row["version"]: row for row in server.http.get("/v1/progress").json()["data"]}
    assert data["v2"]["pairs"] == 1
    assert data["v2"]["people"]["over_base"] is None  # v0 was not compared
    assert data["v0"]["model"] == {"over_base": None, "over_previous": None}


def test_a_prompt_that_somebody_asked_is_drawn(server: Running) -> None:
    """The answers stay with the person whose prompt it is, so that they can take it back."""
    server.chat("What is the opposite of hot?", user="ann", max_tokens=4)
    answer = fight(server, "v0", "v1", text=None, user="eve").json()
    assert answer["messages"][-1]["role"] == "user"
    stored = server.store.candidate(answer["answers"][0]["id"])
    assert stored.messages == tuple((m["role"], m["content"]) for m in answer["messages"])


@pytest.mark.parametrize(
    ("versions", "status", "code"),
    [
        (["v0", "v0"], 400, "invalid_value"),
        (["v0"], 400, "invalid_value"),
        (["v0", "v9"], 404, "version_not_resident"),
    ],
)
def test_what_is_no_battle_is_refused(
    server: Running, versions: list[str], status: int, code: str
) -> None:
    """One version, the same twice, or one that there is not."""
    answer = fight(server, *versions)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_what_is_pinned_is_seen_and_released(server: Running) -> None:
    """A person's promotion pins; another version cannot be."""
    assert server.http.get("/v1/versions/v2").json()["pinned_by"] == "local"
    body = {"reason": "let it go on"}
    done = server.http.post("/v1/versions/v2/unpin", json=body)
    assert done.json()["pinned_by"] is None
    refused = server.http.post("/v1/versions/v1/pin", json=body)
    assert refused.json()["error"]["message"] == (
        "v1 is retired: only the version that is live can be pinned"
    )


def test_a_rollback_says_what_it_took_with_it(server: Running) -> None:
    """The verdict on v2 is set aside, and comes back."""
    body = {"reason": "rude", "quarantine": True}
    done = server.http.post("/v1/versions/rollback", json=body).json()
    assert done["id"] == "v1"
    assert done["rolled_back"] == {"version": "v2", "round": None, "set_aside": 1}
    bad = server.http.get("/v1/versions/v2").json()
    assert (bad["state"], bad["set_aside"]) == ("rejected", 1)
    back = server.http.post("/v1/versions/v2/readmit", json={"reason": "they were right"})
    assert back.json()["set_aside"] == 0
