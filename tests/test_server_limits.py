"""Requests per minute over HTTP: of a person, of an address, and over two server processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from server.doors.limit_settings import LimitSettings
from server.doors.limits import network
from tests.openai_schemas import check
from tests.server_running import Running, eventually, running, settings_for
from tests.test_server_process import free_port, process
from tests.tiny_models import make_tiny

KEY = "correct horse"
LIMIT = 200


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("limits") / "model")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Running]:
    """Three requests a minute for each person."""
    settings = settings_for(
        tmp_path_factory.mktemp("limits") / "data", model, limits=LimitSettings(per_person=3)
    )
    with running(settings.model_copy(update={"key": SecretStr(KEY)})) as server:
        yield server


def check_refused(answer: httpx.Response, name: str, limit: int) -> None:
    """429 in OpenAI's shape, saying whose limit, and when to try again."""
    assert answer.status_code == 429, answer.text
    check(answer.json(), "ErrorResponse")
    error = answer.json()["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert f"{name}: {limit} requests per minute" in error["message"]
    assert 1 <= int(answer.headers["retry-after"]) <= 61


def test_a_person_with_a_key_of_their_own_is_refused_the_fourth_request(server: Running) -> None:
    """All their keys count together; a body is not waited for; bob is answered."""
    keys = [server.store.issue_key("ada", ["chat", "rank"], actor="test")[1] for _ in range(2)]
    for turn in range(3):
        assert ask(server, keys[turn % 2]).status_code == 200
    check_refused(ask(server, keys[1]), "person ada", 3)
    check_refused(ask(server, keys[0], content=never()), "person ada", 3)
    assert ask(server, server.store.issue_key("bob", ["chat"], actor="test")[1]).status_code == 200


def ask(server: Running, key: str, content: Any = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    if content is None:
        return httpx.get(f"{server.url}/v1/models", headers=headers, timeout=60)
    url = f"{server.url}/v1/rankings"
    return httpx.post(url, headers=headers, content=content, timeout=60)


def never() -> Iterator[bytes]:
    """A body that is no JSON, so that reading it would be another refusal."""
    yield b"{" * 1000


def test_whom_the_owner_speaks_for_is_counted_by_name(server: Running) -> None:
    """In a body, in the query, and nobody: each person has three of their own."""
    for answers in range(3):
        assert server.chat(user="cy", max_tokens=1).status_code == 200, answers
    check_refused(server.chat(user="cy", max_tokens=1), "person cy", 3)
    check_refused(server.http.get("/v1/conversations?user=cy"), "person cy", 3)
    assert server.http.get("/v1/conversations?user=dan").status_code == 200
    assert server.chat(max_tokens=1).status_code == 200


def test_health_is_free_however_often(server: Running) -> None:
    """Ten looks with three requests a minute."""
    assert {server.http.get("/readyz").status_code for _ in range(10)} == {200}


def test_an_address_is_refused_before_its_key_is_looked_at(tmp_path: Path, model: Path) -> None:
    """Two wrong keys are 401, the third request is 429; health still answers."""
    settings = settings_for(tmp_path / "data", model, limits=LimitSettings(per_address=2))
    with running(settings.model_copy(update={"key": SecretStr(KEY)})) as server:
        assert [ask(server, "wrong").status_code for _ in range(2)] == [401, 401]
        check_refused(ask(server, KEY), "address 127.0.0.1", 2)
        assert server.http.get("/livez").status_code == 200


def test_an_address_of_ipv6_stands_for_its_network() -> None:
    """Its first 64 bits; one that is IPv4's in other clothes is that."""
    assert network("2001:db8::7") == network("2001:db8::ffff:8") == "2001:db8::/64"
    assert network("2001:db8:0:1::7") != network("2001:db8::7")
    assert network("::ffff:192.0.2.7") == network("192.0.2.7") == "192.0.2.7"


def test_two_server_processes_count_together_within_a_twentieth(
    tmp_path: Path, model: Path
) -> None:
    """200 requests a minute, asked of both in turn, from nothing, until neither takes any: 190 to
    210 are answered. Neither needs its model for that: its record is enough."""
    ports = [free_port(), free_port()]
    flags = ("--data", str(tmp_path / "data"), "--model", str(model))
    limit = ("--server.limits.per_address", str(LIMIT))
    with ExitStack() as stack:
        clients = []
        for port in ports:
            stack.enter_context(process(*flags, *limit, "--port", str(port)))
            http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}"))
            clients.append(http)
        for http in clients:
            eventually(partial(answers, http))
        since, answered = time.monotonic(), len(clients)
        while (statuses := [http.get("/v1/learner").status_code for http in clients]) != [429, 429]:
            assert set(statuses) <= {200, 429}
            answered += statuses.count(200)
            assert time.monotonic() - since < 50, "too slow for the minute to be one"
        assert LIMIT * 0.95 <= answered <= LIMIT * 1.05


def answers(http: httpx.Client) -> bool:
    """Whether a request was answered, which is counted."""
    try:
        return http.get("/v1/learner").status_code == 200
    except httpx.TransportError:
        return False
