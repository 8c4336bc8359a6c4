"""Who may come in: loopback without a key, and the key everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from server.doors.access import NeedsKey, check_binding, person
from tests.openai_schemas import check
from tests.server_running import Running, chat_body, running, settings_for
from tests.tiny_models import make_tiny

KEY = "correct horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("keyed")
    settings = settings_for(folder / "data", make_tiny(folder / "model"))
    with running(settings.model_copy(update={"key": SecretStr(KEY)})) as server:
        yield server


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_loopback_needs_no_key(host: str) -> None:
    """Only this machine reaches these."""
    check_binding(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_other_addresses_need_a_key(host: str) -> None:
    """Without one the process ends with the very line to type; a blank one is none."""
    check_binding(host, SecretStr(KEY))
    for key in (None, SecretStr("")):
        with pytest.raises(NeedsKey) as refusal:
            check_binding(host, key)
        line = f"RANKLOOP_KEY=$(openssl rand -hex 24) rankloop server --host {host}"
        assert line in str(refusal.value).splitlines()


def test_person_is_the_user_else_who_has_the_machine_or_the_key() -> None:
    """OpenAI's `user` goes first in both modes."""
    key = SecretStr(KEY)
    assert [person("ada", None), person("ada", key)] == ["ada", "ada"]
    assert [person(None, None), person(None, key)] == ["local", "key"]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "missing_api_key"),
        ("Bearer", "missing_api_key"),
        ("Basic Y29ycmVjdA==", "missing_api_key"),
        ("Bearer wrong", "invalid_api_key"),
        (f"Bearer {KEY}x", "invalid_api_key"),
        (f"Bearer {KEY[:-1]}", "invalid_api_key"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/chat/completions"), ("GET", "/v1/learner"), ("GET", "/nowhere")],
)
def test_wrong_key_is_401(
    server: Running, method: str, path: str, header: str | None, code: str
) -> None:
    """On every route, known or not, in OpenAI's shape."""
    headers = {"authorization": header} if header else {}
    answer = httpx.request(method, server.url + path, headers=headers, json=chat_body())
    check(answer.json(), "ErrorResponse")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "x-request-id" in answer.headers


@pytest.mark.parametrize(
    ("brought", "kept"), [("trace-7", True), ("a b", False), ("x" * 129, False)]
)
def test_a_request_keeps_the_id_that_it_brings(server: Running, brought: str, kept: bool) -> None:
    """Unless it would not stand in a log line: blanks, or more than 128 characters."""
    answer = httpx.get(f"{server.url}/livez", headers={"x-request-id": brought})
    assert (answer.headers["x-request-id"] == brought) is kept
    assert kept or answer.headers["x-request-id"].startswith("req_")


def test_no_log_line_holds_what_people_type_or_their_keys(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """Of requests that are answered, refused for their body, or refused for their key: no line of
    the serving process at INFO has the prompt, the comment or the key."""
    marker = "hippopotamus-4711"
    with caplog.at_level("INFO"):
        ids = server.chat(marker, n=2).json()["rankloop"]["candidates"]
        said = {"candidates": ids, "ranks": [1, 2], "comment": marker}
        assert server.http.post("/v1/rankings", json=said).status_code == 201
        assert server.chat(marker, temperature=-7).status_code == 400
        assert server.chat(marker, model=marker).status_code == 404
        wrong = {"authorization": f"Bearer {marker}"}
        assert server.http.get("/v1/learner", headers=wrong).status_code == 401
    ours = [
        record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    ]
    lines = "\n".join(record.getMessage() for record in ours)
    assert marker not in lines
    assert KEY not in lines


def test_right_key_is_let_in(server: Running) -> None:
    """And who has it without saying a user is `key`."""
    answer = server.chat()
    assert answer.status_code == 200
    assert server.store.candidate(answer.json()["rankloop"]["candidates"][0]).person == "key"


def test_health_is_open(server: Running) -> None:
    """Probes have no key."""
    for path in ("/livez", "/readyz"):
        assert httpx.get(server.url + path).status_code == 200


def test_other_names_for_this_machine_are_refused_without_a_key(tmp_path: Path) -> None:
    """A web page may point its own name at 127.0.0.1: such a Host is no loopback name."""
    with running(settings_for(tmp_path / "data", make_tiny(tmp_path / "model"))) as server:
        for host, status in (
            ("evil.example", 403),
            ("evil.example:8000", 403),
            ("localhost:8000", 200),
            ("[::1]:8000", 200),
        ):
            answer = server.http.get("/v1/learner", headers={"host": host})
            assert answer.status_code == status, host
