"""POST /v1/demonstrations: kept whole or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.openai_schemas import check
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny

ASKED = {"role": "user", "content": "Hello!"}
ANSWERED = {"role": "assistant", "content": "Hello, how are you?"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("demonstrations")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        yield server


def told(server: Running, *messages: dict[str, str], **fields: Any) -> Any:
    return server.http.post("/v1/demonstrations", json={"messages": messages, **fields})


def test_an_ideal_answer_is_kept(server: Running) -> None:
    """One answer is "written"; one more waits, as /v1/learner says too."""
    before = server.http.get("/v1/learner").json()["waiting"]["demonstrations"]
    answer = told(server, ASKED, ANSWERED, user="ada")
    kept = answer.json()
    assert answer.status_code == 201
    assert (kept["source"], kept["messages"]) == ("written", [ASKED, ANSWERED])
    assert kept["waiting"] == before + 1
    assert server.http.get("/v1/learner").json()["waiting"]["demonstrations"] == before + 1
    assert len(server.store.training_demonstrations()) == kept["waiting"]


def test_both_sides_of_a_conversation(server: Running) -> None:
    """Two answers, after a developer's word, which is kept as the system's."""
    first = {"role": "developer", "content": "Be kind."}
    kept = told(server, first, ASKED, ANSWERED, ASKED, ANSWERED).json()
    assert kept["source"] == "both_sides"
    assert [turn["role"] for turn in kept["messages"]] == [
        "system", "user", "assistant", "user", "assistant",
    ]  # fmt: skip


def test_an_edited_answer_names_its_candidate(server: Running) -> None:
    """It belongs to that answer's conversation; of another conversation it is refused."""
    [candidate] = server.chat(n=1, max_tokens=4, messages=[ASKED]).json()["rankloop"]["candidates"]
    kept = told(server, ASKED, ANSWERED, candidate=candidate).json()
    assert (kept["source"], kept["candidate"]) == ("edited", candidate)
    assert kept["conversation_id"] == server.store.candidate(candidate).conversation_id
    other = told(server, {"role": "user", "content": "Goodbye!"}, ANSWERED, candidate=candidate)
    assert (other.status_code, other.json()["error"]["param"]) == (400, "candidate")


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([ASKED], "messages"),
        ([ANSWERED, ASKED], "messages[0].role"),
        ([ASKED, ASKED, ANSWERED], "messages[1].role"),
        ([ASKED, {"role": "assistant", "content": " "}], "messages[1].content"),
        ([ASKED, {"role": "assistant", "content": "so " * 3000}], "messages"),
    ],
)
def test_what_teaches_nothing_is_refused(
    server: Running, messages: list[dict[str, str]], param: str
) -> None:
    """No answer, turns out of order, a blank one, one longer than the context: 400, by name."""
    refused = told(server, *messages)
    check(refused.json(), "ErrorResponse")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


def test_an_unknown_candidate_is_a_404(server: Running) -> None:
    """Or 400, as rankings have it: named either way."""
    refused = told(server, ASKED, ANSWERED, candidate="nobody-0")
    assert refused.status_code in (400, 404)
    assert "nobody-0" in refused.json()["error"]["message"]


def test_retry_with_the_same_key_is_harmless(server: Running) -> None:
    """The same row again, as 200; with another body 422."""
    body = {"messages": [ASKED, ANSWERED]}
    headers = {"idempotency-key": "once"}
    first, again = (
        server.http.post("/v1/demonstrations", json=body, headers=headers) for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = {"messages": [ASKED, {**ANSWERED, "content": "Hi."}]}
    refused = server.http.post("/v1/demonstrations", json=other, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "idempotency_conflict")
