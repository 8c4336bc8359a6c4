"""POST /v1/rankings: stored whole or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.openai_schemas import check
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("rankings")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        yield server


def answered(server: Running, n: int = 4, **fields: Any) -> dict[str, Any]:
    """A completion's field `rankloop`."""
    field: dict[str, Any] = server.chat(n=n, max_tokens=4, **fields).json()["rankloop"]
    return field


def test_ranking_of_a_completion_is_stored(server: Running) -> None:
    """Ranks 2, 1, 1 and none, by the completion's id: its candidates in order; one more waits."""
    field = answered(server)
    before = server.http.get("/v1/learner").json()["waiting"]["rankings"]
    body = {"completion_id": field["completion_id"], "ranks": [2, 1, 1, None], "user": "ada"}
    answer = server.http.post("/v1/rankings", json=body)
    ranking = answer.json()
    assert answer.status_code == 201
    assert (ranking["object"], ranking["candidates"]) == ("ranking", field["candidates"])
    assert ranking["ranks"] == [2, 1, 1, None]
    assert (ranking["waiting"], ranking["needed"]) == (before + 1, 32)


def test_candidates_of_two_completions_of_one_prompt(server: Running) -> None:
    """They may be ranked together."""
    candidates = [id for _ in range(2) for id in answered(server, n=1)["candidates"]]
    answer = server.http.post("/v1/rankings", json={"candidates": candidates, "ranks": [1, 2]})
    assert answer.status_code == 201, answer.text


def test_retry_with_the_same_key_is_harmless(server: Running) -> None:
    """The same row again, as 200; with another body 422."""
    body = {"candidates": answered(server)["candidates"], "ranks": [1, 2, 3, 4]}
    headers = {"idempotency-key": "once"}
    first = server.http.post("/v1/rankings", json=body, headers=headers)
    again = server.http.post("/v1/rankings", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = server.http.post("/v1/rankings", json={**body, "ranks": [4, 3, 2, 1]}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_conflict")


def test_change_of_mind_supersedes(server: Running) -> None:
    """The same person ranks the same answers again: the new ranking names the old one."""
    body = {"candidates": answered(server)["candidates"], "ranks": [1, 2, 3, 4], "user": "eve"}
    first = server.http.post("/v1/rankings", json=body).json()
    second = server.http.post("/v1/rankings", json={**body, "ranks": [4, 3, 2, 1]}).json()
    assert second["supersedes"] == first["id"]


BAD: list[tuple[str, dict[str, Any], int, str]] = [
    ("too few ranks", {"ranks": [1, 2]}, 400, "ranks"),
    ("rank of 0", {"ranks": [0, 1, 2, 3]}, 400, "ranks"),
    ("rank as text", {"ranks": ["1", 2, 3, 4]}, 400, "ranks[0]"),
    ("no ranks", {"ranks": None}, 400, "ranks"),
    ("unknown candidate", {"candidates": ["a", "b"], "ranks": [1, 2]}, 404, "candidates"),
    ("candidates as text", {"candidates": "x"}, 400, "candidates"),
    ("NUL in a comment", {"comment": "\x00"}, 400, "comment"),
]


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [row[1:] for row in BAD],
    ids=[row[0].replace(" ", "-") for row in BAD],
)
def test_bad_rankings_are_refused_by_name(
    server: Running, fields: dict[str, Any], status: int, param: str
) -> None:
    """In OpenAI's shape, with the parameter's name, and nothing is stored."""
    candidates = answered(server)["candidates"]
    before = server.store.waiting().count
    body = {"candidates": candidates, "ranks": [1, 2, 3, 4], **fields}
    answer = server.http.post("/v1/rankings", json=body)
    check(answer.json(), "ErrorResponse")
    error = answer.json()["error"]
    assert (answer.status_code, error["param"].partition(".")[0]) == (status, param), error
    assert server.store.waiting().count == before


def test_unknown_completion_is_404(server: Running) -> None:
    """By its completion's id, which there is not."""
    answer = server.http.post("/v1/rankings", json={"completion_id": "no", "ranks": [1, 2]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "completion_id")


def test_answers_to_different_prompts_are_refused(server: Running) -> None:
    """Which of them is better says nothing."""
    candidates = [
        *answered(server, n=1)["candidates"],
        *answered(server, n=1, messages=[{"role": "user", "content": "Other"}])["candidates"],
    ]
    answer = server.http.post("/v1/rankings", json={"candidates": candidates, "ranks": [1, 2]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "candidates")
