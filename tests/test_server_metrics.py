"""/metrics agrees with what clients counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message, Receive, Scope, Send

from server.metrics import CountRequests
from tests.server_running import Running, eventually, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    model = make_tiny(tmp_path / "model", max_position_embeddings=2048)
    with running(settings_for(tmp_path / "data", model)) as server:
        yield server


def figures(server: Running) -> dict[str, float]:
    """Every sample by its name and labels."""
    text = server.http.get("/metrics").text
    return {
        " ".join([sample.name, *sorted(sample.labels.values())]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_agree_with_the_clients_count(server: Running) -> None:
    """Whole answers, streams and refusals: tokens and ends as the answers themselves say them."""
    answers = [server.chat(n=2, seed=seed).json() for seed in range(3)]
    stream = server.chat(stream=True, stream_options={"include_usage": True}).text
    usage = json.loads(stream.split("\n\n")[-3].removeprefix("data: "))["usage"]
    assert server.chat(n=0).status_code == 400
    assert server.http.get("/nowhere/at/all").status_code == 404
    found = figures(server)
    usages = [usage, *(answer["usage"] for answer in answers)]
    for counter, name in (("prompt", "prompt_tokens"), ("generation", "completion_tokens")):
        assert found[f"rankloop_{counter}_tokens_total"] == sum(usage[name] for usage in usages)
    ends = [choice["finish_reason"] for answer in answers for choice in answer["choices"]]
    counted = sum(
        found.get(f"rankloop_request_success_total {end}", 0) for end in ("length", "stop")
    )
    assert counted == len(ends) + 1
    route = "/v1/chat/completions POST"
    assert found[f"rankloop_http_requests_total {' '.join(sorted([*route.split(), '200']))}"] == 4
    assert found[f"rankloop_http_requests_total {' '.join(sorted([*route.split(), '400']))}"] == 1
    assert found["rankloop_http_requests_total 404 GET unknown"] == 1
    assert found["rankloop_time_to_first_token_seconds_count"] == 4
    assert found["rankloop_e2e_request_latency_seconds_count"] == 4


def test_gauges_return_to_nothing(server: Running) -> None:
    """While four rows are decoded they say so; when the client has left, they are 0 again."""
    gauges = (
        "rankloop_num_requests_running",
        "rankloop_num_requests_waiting",
        "rankloop_num_requests_in_flight",
        "rankloop_num_rows_running",
        "rankloop_kv_cache_usage_perc",
    )
    body = {
        "model": "rankloop",
        "messages": [{"role": "user", "content": "Hello!"}],
        "n": 4,
        "max_tokens": 1000,
        "ignore_eos": True,
        "stream": True,
    }
    with server.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        lines = answer.iter_lines()
        next(lines)
        busy = figures(server)
    assert busy["rankloop_num_rows_running"] == 4
    assert 0 < busy["rankloop_kv_cache_usage_perc"] < 1
    eventually(lambda: all(figures(server)[gauge] == 0 for gauge in gauges), within_s=2.0)


@pytest.mark.parametrize(("begun", "status"), [(False, "500"), (True, "200")])
def test_a_fault_of_our_own_is_no_client_that_left(
    server: Running, begun: bool, status: str
) -> None:
    """A route that raises is answered 500 from outside of the counter; once an answer has begun its
    status is out."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("a broken route")

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None:
        """To nobody."""

    counter = CountRequests(broken, server.serving.metrics)
    with pytest.raises(RuntimeError, match="a broken route"):
        asyncio.run(counter({"type": "http", "method": "GET"}, receive, send))
    assert figures(server)[f"rankloop_http_requests_total {status} GET unknown"] == 1
