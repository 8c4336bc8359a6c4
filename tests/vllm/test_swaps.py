"""Versions on vLLM: swapped under load, an engine killed under them, and brought back.

`VLLM_REQUESTS` says how many requests the long one sends; a tenth of it between two swaps.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import httpx
import pytest
import torch

from benchmarks.vllm_engines import START_S, Engine
from policy.model import Model
from server.vllm.placed import adapter_name
from tests.server_running import Running, chat_body, eventually
from tests.test_server_adapters import publish
from tests.test_server_residence import rescored, served_by

pytestmark = pytest.mark.vllm
NEAR = 1e-3
REQUESTS = int(os.environ.get("VLLM_REQUESTS", "200"))
SWAPS = 10


def name_of(server: Running, id: str) -> str:
    return adapter_name(id, server.versions.read(id).digest)


def check(server: Running, answers: Sequence[httpx.Response]) -> set[str]:
    """None has failed, and each one's log-probabilities are those of the version that it names;
    which versions they were."""
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    models: dict[str, Model] = {}
    for answer in answers:
        said = answer.json()["rankloop"]
        assert answer.headers["x-rankloop-version"] == said["version"]
        for id in said["candidates"]:
            candidate = server.store.candidate(id)
            assert candidate.version == said["version"]
            if candidate.version not in models:
                models[candidate.version] = server.versions.load(candidate.version)
            drawn, raw = rescored(models[candidate.version], candidate)
            torch.testing.assert_close(torch.tensor(candidate.logps), drawn, atol=NEAR, rtol=0)
            torch.testing.assert_close(torch.tensor(candidate.raw_logps), raw, atol=NEAR, rtol=0)
    return set(models)


def test_versions_side_by_side_say_each_its_own(server: Running, fleet: Sequence[Engine]) -> None:
    """Two adapters by name and v0, asked at once; adapters have been in all places before."""
    ids = ["v0", *(publish(server, seed) for seed in range(1, 5))]
    for id in ids:
        served_by(server, f"rankloop@{id}")
    ids = [ids[0], *ids[-2:]]
    with ThreadPoolExecutor(6) as pool:
        asked = [(id, seed) for seed in range(8) for id in ids]
        answers = list(
            pool.map(lambda one: server.chat(seed=one[1], model=f"rankloop@{one[0]}"), asked)
        )
    assert check(server, answers) == set(ids)
    for engine in fleet:
        assert {name_of(server, id) for id in ids[1:]} <= engine.names()


def test_requests_over_swaps_and_the_end_of_an_engine(
    server: Running, fleet: Sequence[Engine]
) -> None:
    """None fails; each answer is one version's; an engine that comes back has its versions before
    it is asked for anything; versions that nobody reads any more are gone from both."""
    ids = [publish(server, 10 + seed) for seed in range(SWAPS)]
    chance, killed = random.Random(7), Event()

    def ask(number: int) -> httpx.Response:
        if number == REQUESTS // 2:
            fleet[1].kill()
            killed.set()
        temperature = chance.choice((1.0, 0.8))
        return server.chat(
            f"Number {number}", seed=number, n=1 + number % 2, temperature=temperature
        )

    def promote_all() -> None:
        for id in ids:
            server.promote(id)

    swaps = Thread(target=promote_all)
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(ask, range(REQUESTS))
        swaps.start()
        answers = list(asked)
    swaps.join()
    assert killed.is_set()
    assert len(check(server, answers)) > 2
    assert served_by(server) == ids[-1]

    fleet[1].start()
    fleet[1].wait()
    live, previous = name_of(server, ids[-1]), name_of(server, ids[-2])
    eventually(lambda: {live, previous} <= fleet[1].names(), within_s=START_S)
    more = [server.chat(seed=seed) for seed in range(16)]
    assert check(server, more) == {ids[-1]}
    gone = {name_of(server, id) for id in ids[: SWAPS // 2]}
    eventually(lambda: not any(gone & engine.names() for engine in fleet))


def test_streams_over_the_end_of_an_engine(server: Running, fleet: Sequence[Engine]) -> None:
    """Each ends with [DONE] or with an error frame, never with a cut answer that looks whole."""
    body = chat_body(stream=True, max_tokens=150, ignore_eos=True)
    begun = Event()

    def listen(number: int) -> list[str]:
        with server.http.stream(
            "POST", "/v1/chat/completions", json={**body, "seed": number}
        ) as stream:
            lines = []
            for line in stream.iter_lines():
                lines += [line] if line else []
                if len(lines) > 5:
                    begun.set()
        assert stream.status_code == 200
        return lines

    with ThreadPoolExecutor(8) as pool:
        listening = [pool.submit(listen, number) for number in range(8)]
        assert begun.wait(60), "no stream has begun"
        fleet[1].kill()
        heard = [one.result() for one in listening]
    fleet[1].start()
    whole = [lines for lines in heard if lines[-1] == "data: [DONE]"]
    broken = [json.loads(lines[-1][6:])["error"] for lines in heard if lines not in whole]
    assert whole
    assert {error["code"] for error in broken} <= {"engine_fault"}
    assert served_by(server)
    fleet[1].wait()
