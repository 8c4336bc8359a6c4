"""Every door of the API is shut: without a key, and to a key of another scope."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

import rankloop
from feedback.keys import SCOPES
from server.app import create_app
from server.doors.scopes import NEEDS, OPEN_ROUTES, SIGN_IN_ROUTES
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny

APP: FastAPI = create_app(rankloop.Settings())
ROUTES = sorted(
    f"{method.upper()} {path}"
    for path, methods in APP.openapi()["paths"].items()
    for method in methods
)
SHUT = sorted(
    route
    for route in (*ROUTES, "GET /openapi.json")
    if route[4:] not in OPEN_ROUTES and route not in SIGN_IN_ROUTES
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("doors")
    settings = settings_for(folder / "data", make_tiny(folder / "model"))
    with running(settings.model_copy(update={"key": SecretStr("correct horse")})) as server:
        yield server


def address(route: str) -> tuple[str, str]:
    """Method and a path that the route answers: `GET /v1/rounds/{id}` -> GET, /v1/rounds/1."""
    method, path = route.split(" ")
    for name, value in (("id:path", "ada"), ("id", "1"), ("task_id", "1"), ("place", "0")):
        path = path.replace(f"{{{name}}}", value)
    return method, path.replace("{name}", "rankloop")


def status(http: httpx.Client, method: str, path: str) -> int:
    return http.request(method, path, json=None if method == "GET" else {}).status_code


def test_every_route_declares_what_it_needs() -> None:
    """The table and the application's routes are the same set, and every scope is one."""
    declared = {route.replace("{id:path}", "{id}") for route in NEEDS}
    assert declared == {*ROUTES, "GET /openapi.json"}
    assert {scope for needs in NEEDS.values() for scope in needs} == set(SCOPES)


def test_without_a_key_every_route_is_401(server: Running) -> None:
    """Spelled as it is, with a slash more, in capitals, with two slashes; by HEAD and OPTIONS too;
    and what there is not is no different."""
    with httpx.Client(base_url=server.url) as http:
        for route in [*SHUT, "GET /nowhere", "GET /docs", "GET /v1/../livez/x"]:
            method, path = address(route)
            for spelled in (path, f"{path}/", path.upper(), f"/{path}", f"{path}//"):
                for how in (method, "HEAD", "OPTIONS"):
                    url = f"{server.url}{spelled}"
                    assert status(http, how, url) == 401, (how, spelled)


def test_only_what_one_signs_in_by_is_answered_to_whoever_has_no_key(server: Running) -> None:
    """Those five, and the health checks; in any other spelling, or by another method, 401 again.
    They open nothing by themselves: an empty body is refused."""
    ways = "GET /v1/sessions/ways"
    assert {*SIGN_IN_ROUTES} == {
        ways,
        "POST /v1/sessions",
        "POST /v1/invitations",
        "POST /v1/sessions/openid/begin",
        "POST /v1/sessions/openid",
    }
    with httpx.Client(base_url=server.url) as http:
        for route in sorted(SIGN_IN_ROUTES):
            method, path = address(route)
            assert status(http, method, path) == (200 if route == ways else 400), route
            for spelled in (f"{path}/", path.upper(), f"/{path}"):
                assert status(http, method, f"{server.url}{spelled}") == 401, spelled
            for how in {"GET", "POST", "PUT", "DELETE", "OPTIONS"} - {method}:
                assert status(http, how, path) == 401, (how, path)


def test_with_every_scope_but_its_own_a_route_is_403(server: Running) -> None:
    """Also by HEAD, and in another spelling never anything that succeeds."""
    for wanted in [(scope,) for scope in SCOPES] + [("chat", "read")]:
        others = [scope for scope in SCOPES if scope not in wanted]
        with keyed(server, *others) as http:
            for route in (route for route, needs in NEEDS.items() if needs == wanted):
                method, path = address(route)
                assert status(http, method, path) == 403, route
                for spelled in (f"{path}/", path.upper(), f"/{path}"):
                    url = f"{server.url}{spelled}"
                    assert status(http, method, url) >= 300, spelled


def test_a_route_that_declares_nothing_is_the_owners_alone(server: Running) -> None:
    """Deny by default: shown on one that is taken out of the table for the moment."""
    needs: dict[str, Any] = NEEDS  # type: ignore[assignment]
    kept = needs.pop("GET /v1/models")
    try:
        with keyed(server, *SCOPES) as http:
            assert status(http, "GET", "/v1/models") == 403
        assert server.http.get("/v1/models").status_code == 200
    finally:
        needs["GET /v1/models"] = kept


def test_a_key_in_an_address_opens_nothing(server: Running) -> None:
    """Under whatever name: addresses stand in logs and histories."""
    _, key = server.store.issue_key("ada", SCOPES, actor="test")
    with httpx.Client(base_url=server.url) as http:
        for name in ("key", "api_key", "token", "access_token", "authorization"):
            for good in (key, "correct horse"):
                assert http.get("/v1/models", params={name: good}).status_code == 401, name
        headers = {"authorization": f"Bearer {key}"}
        assert http.get("/v1/models", headers=headers).status_code == 200


def test_no_answer_lets_another_origins_page_read_it(server: Running) -> None:
    """No CORS: neither a preflight nor an answer has one of its headers."""
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for method in ("OPTIONS", "POST", "GET"):
        answer = server.http.request(method, "/v1/models", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def keyed(server: Running, *scopes: str) -> httpx.Client:
    """A client with a key of these scopes."""
    _, key = server.store.issue_key("ada", scopes, actor="test")
    return httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"})
