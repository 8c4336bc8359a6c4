"""/v1/me: a person's own data over HTTP, with a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.openai_schemas import check
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("me")
    settings = settings_for(folder / "data", make_tiny(folder / "model"))
    with running(settings.model_copy(update={"key": SecretStr("a key")})) as server:
        yield server


def ranked(server: Running, user: str) -> list[str]:
    """Two answers to this person, ranked by them."""
    ids: list[str] = server.chat("Hello!", n=2, max_tokens=4, user=user).json()["rankloop"][
        "candidates"
    ]
    body = {"candidates": ids, "ranks": [1, 2], "user": user}
    assert server.http.post("/v1/rankings", json=body).status_code == 201
    return ids


def consent(server: Running, **body: Any) -> Any:
    return server.http.put("/v1/me/consent", json=body)


def learned(server: Running, person: str) -> int:
    return sum(ranking.person == person for ranking in server.store.training_rankings())


def test_with_a_key_nothing_is_learned_before_a_yes(server: Running) -> None:
    """One ranking before it and one after: only the second may be learned from."""
    asked = server.http.get("/v1/me/consent", params={"user": "ada"}).json()
    assert (asked["given"], asked["holds"]) == (None, False)
    ranked(server, "ada")
    assert learned(server, "ada") == 0
    told = consent(server, given=True, version=asked["text_version"], user="ada").json()
    assert (told["given"], told["holds"], told["person"]) == (True, True, "ada")
    ranked(server, "ada")
    assert learned(server, "ada") == 1
    assert consent(server, given=False, user="ada").json()["holds"] is False
    assert learned(server, "ada") == 0


def test_a_yes_names_the_text_that_was_read(server: Running) -> None:
    """Without a version, or with another: 400, by name."""
    for version in ({}, {"version": "an older one"}):
        refused = consent(server, given=True, user="ada", **version)
        check(refused.json(), "ErrorResponse")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "version")


def test_a_person_takes_out_their_own_and_takes_it_back(server: Running) -> None:
    """The export has the request, the ranking and nobody else's; after the deletion it is the
    header alone, and the answers are unknown.
    """
    ids = ranked(server, "eve")
    me = {"user": "eve"}
    exported = server.http.get("/v1/me/export", params=me).text
    lines = [json.loads(line) for line in exported.splitlines()]
    assert [line["type"] for line in lines] == ["rankloop-1", "generation", "ranking"]
    assert [candidate["id"] for candidate in lines[1]["candidates"]] == ids
    erased = server.http.delete("/v1/me", params=me).json()
    assert (erased["requests"], erased["rankings"], erased["rounds"]) == (1, 1, [])
    assert len(server.http.get("/v1/me/export", params=me).text.splitlines()) == 1
    assert server.http.get(f"/v1/candidates/{ids[0]}").status_code == 404
    assert server.http.get(f"/v1/candidates/{ids[0]}/tokens").status_code == 404
