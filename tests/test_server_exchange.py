"""GET /v1/export and POST /v1/import over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.doors import access
from tests.openai_schemas import check
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny

LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("exchange")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        yield server


def pairs(count: int, about: str) -> bytes:
    """So many preferences, a line each."""
    rows = ({"prompt": f"{about} {i}", "chosen": "A", "rejected": "B"} for i in range(count))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def bring(server: Running, content: Any, **query: str) -> Any:
    params = {"format": "trl-preference", **query}
    return server.http.post("/v1/import", params=params, content=content, headers=LINES)


def test_imported_lines_are_told_and_known_the_next_time(server: Running) -> None:
    """450 lines are nine batches; a bad one among them keeps its number in the file."""
    body = pairs(300, "x") + b"nonsense\n" + pairs(149, "y")
    first, again = (bring(server, body, user="ada").json() for _ in range(2))
    assert (first["lines"], first["imported"], first["refused"]) == (450, 449, 1)
    assert first["reasons"][0]["line"] == 301
    assert (again["imported"], again["known"], again["refused"]) == (0, 449, 1)
    assert {ranked.person for ranked in server.store.training_rankings()} == {"ada"}


@pytest.mark.parametrize(
    ("line", "format"),
    [
        (pairs(1, "x"), "trl-preference"),
        (b'\n{"prompt": "Why?"}', "prompts"),
        (b'{"question": "Why?"}', None),
        (b"question,answer", None),
        (b"", None),
    ],
)
def test_the_format_of_a_line_is_told(server: Running, line: bytes, format: str | None) -> None:
    """Without storing anything; null where it is of none."""
    told = server.http.post("/v1/import/format", content=line or b"\n", headers=LINES)
    assert told.json() == {"object": "import.format", "format": format}


def test_an_imported_answer_is_shown_like_any_other(server: Running) -> None:
    """Its version is `imported`; it has no tokens, and asking for one is a 404."""
    bring(server, pairs(1, "shown"))
    [ranked] = [r for r in server.store.training_rankings() if r.messages[0][1] == "shown 0"]
    path = f"/v1/candidates/{ranked.answers[0].candidate_id}"
    shown = server.http.get(path).json()
    assert (shown["version"], shown["text"], shown["tokens"]) == ("imported", "A", [])
    assert server.http.get(f"{path}/tokens/0").status_code == 404


def test_an_answer_given_here_is_exported_whole(server: Running) -> None:
    """The header, then a line for the request with its two answers' tokens."""
    ids = server.chat("Hello!", n=2, max_tokens=4).json()["rankloop"]["candidates"]
    answer = server.http.get("/v1/export", params={"format": "rankloop"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    header, *lines = map(json.loads, answer.text.splitlines())
    assert header["type"] == "rankloop-1"
    [found] = [line for line in lines if line.get("version") == "v0"]
    assert [candidate["id"] for candidate in found["candidates"]] == ids
    stored = server.store.candidate(ids[0])
    assert found["candidates"][0]["token_ids"] == list(stored.token_ids)


def test_a_body_may_be_larger_than_others(server: Running) -> None:
    """Two MiB of one line are taken where any other route says 413."""
    long = json.dumps({"prompt": "z" * 2**21, "chosen": "A", "rejected": "B"}).encode()
    assert bring(server, long).json()["imported"] == 1
    refused = server.http.post("/v1/rankings", content=long, headers=LINES)
    assert refused.status_code == 413


def test_a_body_above_the_bound_is_refused_while_it_comes(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its length is not announced; the bound is lowered to 1 KiB here."""
    monkeypatch.setitem(access.LARGE_BODIES, "/v1/import", 2**10)
    refused = bring(server, iter([b" " * 600, b" " * 600]))
    check(refused.json(), "ErrorResponse")
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_format_is_a_400(server: Running, method: str) -> None:
    """In OpenAI's shape, and the formats are named."""
    path = "/v1/export" if method == "GET" else "/v1/import"
    answer = server.http.request(method, path, params={"format": "csv"})
    check(answer.json(), "ErrorResponse")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "format")
    assert "trl-preference" in answer.json()["error"]["message"]
