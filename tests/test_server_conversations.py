"""GET /v1/conversations: what a person asked before, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.openai_schemas import check
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("conversations")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        yield server


def test_a_conversation_is_found_again(server: Running) -> None:
    """Listed by its first message, and whole as a tree: a question and two answers to it."""
    named = {"user": "ada", "metadata": {"conversation_id": "talk"}}
    asked = server.chat("Where were we?", n=2, max_tokens=4, **named).json()
    [listed] = server.http.get("/v1/conversations", params={"user": "ada"}).json()["data"]
    assert (listed["id"], listed["title"], listed["answers"]) == ("talk", "Where were we?", 1)
    shown = server.http.get("/v1/conversations/talk", params={"user": "ada"}).json()
    question, *answers = shown["turns"]
    assert (question["role"], question["text"], question["parent"]) == (
        "user",
        "Where were we?",
        None,
    )
    texts = {choice["message"]["content"] for choice in asked["choices"]}
    assert {answer["text"] for answer in answers} == texts
    assert {answer["parent"] for answer in answers} == {question["id"]}


def test_what_is_not_stored_is_not_listed(server: Running) -> None:
    """OpenAI's `store: false`."""
    server.chat("Forget this.", max_tokens=4, user="bea", store=False)
    assert server.http.get("/v1/conversations", params={"user": "bea"}).json()["data"] == []


def test_another_persons_conversation_is_not_there(server: Running) -> None:
    """404, as for one that never was."""
    named = {"user": "cleo", "metadata": {"conversation_id": "private"}}
    server.chat("Mine.", max_tokens=4, **named)
    refused = server.http.get("/v1/conversations/private", params={"user": "dan"})
    assert refused.status_code == 404
    check(refused.json(), "ErrorResponse")
