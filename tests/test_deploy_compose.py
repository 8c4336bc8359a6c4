"""The topology of compose.yaml, as processes: two servers, learner, page and proxy over a real
PostgreSQL, driven through the proxy alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest
import yaml

from tests.composed import ROOT, Composed, composed, services
from tests.feedback_databases import PostgresServer
from tests.server_running import chat_body, eventually
from tests.tiny_models import make_tiny

KEY = "correct horse"
START_S = 240.0
LEARNER_S = 600.0  # it yields to all that runs beside it
STREAMS = 6


@pytest.fixture(scope="module")
def topology(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[Composed]:
    """Ready, with both servers behind the proxy. The model's context is long enough to be cut."""
    folder = tmp_path_factory.mktemp("composed")
    model = make_tiny(folder / "model", max_position_embeddings=2048)
    postgres.drop_tables()
    values = {"RANKLOOP_KEY": KEY, "RANKLOOP_MODEL": str(model), "POSTGRES_PASSWORD": "p"}
    with composed(folder, postgres.url, **values) as topology:
        eventually(lambda: answering(topology) == 2, within_s=START_S)
        yield topology


def client(topology: Composed) -> httpx.Client:
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.Client(base_url=topology.api, headers=headers, timeout=120, trust_env=False)


def answering(topology: Composed) -> int:
    """How many servers the proxy gives requests to; fails the test where a process has ended."""
    assert topology.ended == [], topology.log(topology.ended[0])[-2000:]
    seen = set()
    with suppress(httpx.TransportError), client(topology) as http:
        for _ in range(6):
            answer = http.get("/readyz")
            if answer.status_code == 200:
                seen.add(answer.headers["x-rankloop-server"])
    return len(seen)


def test_an_answer_is_ranked_and_the_learner_and_the_page_are_there(topology: Composed) -> None:
    """Through the proxy alone, by connections of their own, so that either server may be asked."""
    with client(topology) as http:
        asked = http.post("/v1/chat/completions", json=chat_body(n=2, user="ann"))
    assert asked.status_code == 200, asked.text
    ids = asked.json()["rankloop"]["candidates"]
    with client(topology) as http:
        body = {"candidates": ids, "ranks": [1, 2], "user": "ann"}
        assert http.post("/v1/rankings", json=body).status_code == 201
        eventually(lambda: learner_state(http) == "idle", within_s=LEARNER_S)
    eventually(lambda: page_answers(topology), within_s=START_S)
    assert str(topology.api) in topology.log("ui")


def learner_state(http: httpx.Client) -> Any:
    return http.get("/v1/learner").json()["state"]


def page_answers(topology: Composed) -> bool:
    return httpx.get(f"{topology.page}/livez", trust_env=False).status_code == 200


def stream(topology: Composed, begun: Barrier) -> tuple[str, bool]:
    """Asks for a long answer: by which server it was, and whether it came to its end. One that is
    cut raises: it never looks complete.
    """
    body = chat_body(stream=True, n=8, max_tokens=1000, ignore_eos=True)
    with client(topology) as http, http.stream("POST", "/v1/chat/completions", json=body) as answer:
        server, lines = answer.headers["x-rankloop-server"], answer.iter_lines()
        first = next(lines)
        begun.wait(120)
        assert json.loads(first.removeprefix("data: "))["object"] == "chat.completion.chunk"
        try:
            rest = [line for line in lines if line]
        except httpx.RemoteProtocolError:
            return server, False
    assert rest[-1] == "data: [DONE]", rest[-1]
    return server, True


def test_a_killed_server_costs_its_own_streams_and_nothing_else(topology: Composed) -> None:
    """Six streams over both; one server dies. Its three are cut, which their clients see; the
    others end, and whoever asks next is answered. Started again it gets requests again.
    """
    killed = f"127.0.0.1:{topology.ports['server-1:8000']}"
    begun = Barrier(STREAMS + 1)
    with ThreadPoolExecutor(STREAMS) as pool:
        streams: list[Future[tuple[str, bool]]] = [
            pool.submit(stream, topology, begun) for _ in range(STREAMS)
        ]
        begun.wait(120)
        topology.kill("server-1")
        with client(topology) as http:
            answers = [http.post("/v1/chat/completions", json=chat_body()) for _ in range(10)]
        ended = [each.result() for each in streams]
    assert [answer.status_code for answer in answers] == [200] * 10
    assert [server for server, _ in ended].count(killed) == STREAMS // 2
    assert all(whole == (server != killed) for server, whole in ended), ended
    topology.start("server-1")
    eventually(lambda: answering(topology) == 2, within_s=START_S)


def test_the_file_demands_its_secrets_and_checks_every_service() -> None:
    """Nothing starts without a key and a password; all but the learner, which has no port, say
    how they are; vLLM comes with the profile alone.
    """
    with pytest.raises(KeyError):
        services({"RANKLOOP_KEY": KEY})
    with pytest.raises(KeyError):
        services({"POSTGRES_PASSWORD": "p"})
    found = services({"RANKLOOP_KEY": KEY, "POSTGRES_PASSWORD": "p"})
    unchecked = {name for name, service in found.items() if "test" not in service["healthcheck"]}
    assert unchecked == {"learner"}
    assert {name for name, service in found.items() if service.get("profiles")} == {"vllm"}
    published = {name for name, service in found.items() if service.get("ports")}
    assert published == {"proxy"}


def test_what_the_file_mounts_is_there() -> None:
    """Files of the repository, and volumes that the file declares."""
    file = yaml.safe_load((ROOT / "compose.yaml").read_text())
    for service in file["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert Path(ROOT / source).is_file() if "/" in source else source in file["volumes"]
