"""What every process writes: JSON lines where that is set, and nothing that people type."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server_running import answers_ready, chat_body, eventually
from tests.test_server_process import ROOT, free_port
from tests.tiny_models import make_tiny

KEY, MARKER = "correct horse", "hippopotamus-4711"


@contextmanager
def rankloop(
    command: str, folder: Path, *flags: str
) -> Iterator[tuple[subprocess.Popen[bytes], Path, httpx.Client]]:
    """A real `rankloop` and the file with all that its processes write; it is told to end at the
    end."""
    api, page, written = free_port(), free_port(), folder / "written"
    words = ("--data", str(folder / "data"), "--model", str(make_tiny(folder / "model")))
    ports = ("--server.port", str(api), "--ui.port", str(page))
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "RANKLOOP_KEY": KEY}
    whole = [sys.executable, "-m", "rankloop", command, *words, *ports, *flags]
    with (
        written.open("wb") as out,
        subprocess.Popen(whole, stdout=out, stderr=subprocess.STDOUT, env=variables) as running,
        httpx.Client(
            base_url=f"http://127.0.0.1:{api}",
            headers={"authorization": f"Bearer {KEY}"},
            timeout=60,
        ) as http,
    ):
        try:
            eventually(lambda: answers_ready(http), within_s=240)
            yield running, written, http
        finally:
            running.terminate()
            running.wait(60)


def use(http: httpx.Client) -> None:
    """Requests that are answered, ranked, refused for their body, their model and their key; and
    people who sign in, wrongly and rightly."""
    chat, id = "/v1/chat/completions", {"x-request-id": "trace-7"}
    answer = http.post(chat, json=chat_body(MARKER, n=2), headers=id)
    said = {"candidates": answer.json()["rankloop"]["candidates"], "ranks": [1, 2]}
    assert http.post("/v1/rankings", json={**said, "comment": MARKER}).status_code == 201
    assert http.post(chat, json=chat_body(MARKER, temperature=-7)).status_code == 400
    assert http.post(chat, json=chat_body(MARKER, model=MARKER)).status_code == 404
    wrong = {"authorization": f"Bearer {MARKER}"}
    assert http.get("/v1/learner", headers=wrong).status_code == 401
    for password, status in ((MARKER, 401), (KEY, 201)):
        body = {"name": MARKER, "password": password}
        session = http.post("/v1/sessions", json=body)
        assert session.status_code == status
    http.get("/v1/me", headers={"authorization": f"Bearer {session.json()['token']}"})
    body = {"invitation": f"ri_{'0' * 12}_{'0' * 48}", "password": MARKER}
    assert http.post("/v1/invitations", json=body).status_code == 401


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """All that `rankloop up` with JSON lines wrote while it was used."""
    folder = tmp_path_factory.mktemp("json")
    with rankloop("up", folder, "--log.format", "json") as (_, written, http):
        use(http)
        # The last of the three to say something, whichever that is.
        eventually(lambda: b"Rankloop is up" in written.read_bytes(), within_s=240)
        eventually(lambda: b"learner ready" in written.read_bytes(), within_s=240)
    return [json.loads(line) for line in written.read_text().splitlines()]


def test_every_line_of_every_process_is_json(lines: list[dict[str, Any]]) -> None:
    """One object each, with the same six fields."""
    assert {line["process"] for line in lines} == {"up", "server", "decoder", "learner", "ui"}
    fields = {"time", "level", "logger", "process", "request_id", "message"}
    assert all(set(line) - {"error"} == fields for line in lines)


def test_no_process_writes_what_people_type_or_their_keys(lines: list[dict[str, Any]]) -> None:
    """The decoding process among them: it says that it has the model, and nothing of what it
    reads."""
    assert "v0 is in memory" in [line["message"] for line in lines if line["process"] == "decoder"]
    whole = json.dumps(lines)
    assert MARKER not in whole
    assert KEY not in whole
    assert not re.search(r"\br[lis]_[0-9a-f]{12}", whole)


def test_prompts_are_logged_where_that_is_set_and_nothing_else_of_them(tmp_path: Path) -> None:
    """In one line for each request that was taken in, with its id: of the five, the one that is
    answered and the one of an unknown model; neither a comment nor a key is in any."""
    flags = ("--log.format", "json", "--log.prompts", "true")
    with rankloop("server", tmp_path, *flags) as (_, written, http):
        use(http)
    found = [json.loads(line) for line in written.read_text().splitlines() if MARKER in line]
    assert [line["message"].partition(" asks: ")[2] for line in found] == [
        json.dumps([[["user", MARKER]]])
    ] * 2
    assert [line["level"] for line in found] == ["INFO"] * 2
    assert found[0]["request_id"] == "trace-7"
    assert KEY not in written.read_text()
