"""POST /v1/thumbs and /v1/ratings: stored whole or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from learner.settings import LearnerSettings
from tests.openai_schemas import check
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Its reward model learns good and bad, so that thumbs wait."""
    folder: Path = tmp_path_factory.mktemp("marks")
    settings = settings_for(folder / "data", make_tiny(folder / "model"))
    learner = LearnerSettings.model_validate({"reward": {"kind": "binary"}})
    with running(settings.model_copy(update={"learner": learner})) as server:
        yield server


def answered(server: Running, text: str = "Hello!", n: int = 1) -> list[str]:
    """The ids of fresh answers."""
    found: list[str] = server.chat(text, n=n, max_tokens=4).json()["rankloop"]["candidates"]
    return found


def thumb(server: Running, candidate: str, up: object = True, **fields: Any) -> httpx.Response:
    body = {"candidate": candidate, "up": up, **fields}
    return server.http.post("/v1/thumbs", json=body)


def rate(server: Running, candidate: str, **ratings: object) -> httpx.Response:
    body = {"candidate": candidate, "ratings": ratings, "user": "ada"}
    return server.http.post("/v1/ratings", json=body)


def test_a_thumb_is_kept(server: Running) -> None:
    """Two of one prompt by one person wait as one, as /v1/learner says too."""
    before = server.http.get("/v1/learner").json()["waiting"]["thumbs"]
    first, second = answered(server, "Thumbs?", n=2)
    kept = thumb(server, first, user="ada")
    assert kept.status_code == 201
    shown = kept.json()
    assert (shown["object"], shown["candidate"], shown["up"]) == ("thumb", first, True)
    assert (shown["supersedes"], shown["waiting"]) == (None, before + 1)
    assert thumb(server, second, False, user="ada").json()["waiting"] == before + 1
    assert server.http.get("/v1/learner").json()["waiting"]["thumbs"] == before + 1
    [prompt] = [p for p in server.store.training_marks(["thumb"]) if p.person == "ada"]
    assert prompt.values == {"thumb": (1.0, 0.0)}


def test_a_change_of_mind_supersedes(server: Running) -> None:
    """The person's earlier thumb of that answer is named."""
    [candidate] = answered(server)
    first = thumb(server, candidate, user="eve").json()
    second = thumb(server, candidate, False, user="eve").json()
    assert (second["supersedes"], second["up"]) == (first["id"], False)
    assert thumb(server, candidate, user="bob").json()["supersedes"] is None


def test_ratings_are_kept_by_criterion(server: Running) -> None:
    """The default criteria; a later one by one of them names what it replaces."""
    [candidate] = answered(server)
    kept = rate(server, candidate, helpful=6, honest=2.5, harmless=7)
    assert kept.status_code == 201, kept.text
    shown = kept.json()
    assert (shown["object"], shown["supersedes"]) == ("rating", {})
    assert shown["ratings"] == {"helpful": 6, "honest": 2.5, "harmless": 7}
    assert rate(server, candidate, helpful=1).json()["supersedes"] == {"helpful": shown["id"]}


@pytest.mark.parametrize(
    ("ratings", "said"),
    [
        ({"kind": 3}, "'kind' is none of the criteria: helpful, honest, harmless"),
        ({"helpful": 8}, "8.0 is not from 1 (the least helpful) to 7"),
        ({"helpful": 0}, "0.0 is not from 1 (the least helpful) to 7"),
        ({"helpful": "6"}, "number"),
        ({}, "at least 1"),
    ],
)
def test_a_rating_off_the_scale_is_refused(
    server: Running, ratings: dict[str, object], said: str
) -> None:
    """By name, with the criteria and the scale; nothing is kept."""
    [candidate] = answered(server)
    refused = rate(server, candidate, **ratings)
    check(refused.json(), "ErrorResponse")
    error = refused.json()["error"]
    assert (refused.status_code, error["param"].partition(".")[0]) == (400, "ratings")
    assert said in error["message"]


def test_ratings_of_a_ranking_are_on_the_same_scale(server: Running) -> None:
    """Those by one of the criteria; what a client rates by others is its own affair."""
    candidates = answered(server, n=2)
    body = {"candidates": candidates, "ranks": [1, 2]}
    for ratings, status in (({"helpful": [9, 1]}, 400), ({"harm": [9, None]}, 201)):
        answer = server.http.post("/v1/rankings", json={**body, "ratings": ratings})
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("path", "said"), [("thumbs", {"up": True}), ("ratings", {"ratings": {}})])
def test_an_unknown_candidate_is_a_404(server: Running, path: str, said: dict[str, Any]) -> None:
    """Named, on both routes."""
    rated = {"ratings": {"helpful": 3}} if path == "ratings" else said
    answer = server.http.post(f"/v1/{path}", json={"candidate": "nobody-0", **rated})
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "candidate")
    assert "nobody-0" in answer.json()["error"]["message"]


def test_a_thumb_is_up_or_down(server: Running) -> None:
    """Neither a number nor nothing."""
    [candidate] = answered(server)
    for up in (1, None, "true"):
        refused = thumb(server, candidate, up)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "up")


def test_retry_with_the_same_key_is_harmless(server: Running) -> None:
    """The same thumb again, as 200; with another body 422."""
    [candidate] = answered(server)
    headers = {"idempotency-key": "once"}
    body = {"candidate": candidate, "up": True}
    first, again = (server.http.post("/v1/thumbs", json=body, headers=headers) for _ in "ab")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = server.http.post("/v1/thumbs", json={**body, "up": False}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_conflict")
