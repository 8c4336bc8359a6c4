"""Two real server processes over one PostgreSQL and one version store: they are one service.

Each fact is shown by asking one of them and looking at what the other does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from feedback.store import Store
from policy.versions import Versions
from server.operate.canary import chosen
from tests.feedback_databases import PostgresServer
from tests.server_running import WAIT_S, answers_ready, chat_body, disturb, eventually
from tests.test_server_process import free_port, process
from tests.tiny_models import make_tiny

KEY = "correct horse"
LIMIT = 40
START_S = 240.0
PEOPLE = [f"person {number}" for number in range(16)]


@dataclass
class Pair:
    """Both servers, and the record and versions as a learner elsewhere would use them."""

    both: tuple[httpx.Client, ...]
    store: Store
    versions: Versions

    @property
    def a(self) -> httpx.Client:
        return self.both[0]

    @property
    def b(self) -> httpx.Client:
        return self.both[1]

    def publish(self, seed: int) -> str:
        """A verified version: v0's weights with some noise."""
        model = self.versions.load("v0")
        disturb(model, 0.05, seed)
        id = self.store.next_id("v")
        manifest = self.versions.publish(id, model, kind="full", parent="v0", round=None)
        self.store.register_version(id, digest=manifest.digest, parent="v0", kind="full")
        self.store.verify(id, actor="test", reason="published by a test")
        return id

    def rests_on(self, version: str) -> bool:
        """Whether both would answer with it, and the record calls it live."""
        served = {http.get("/readyz").json()["version"] for http in self.both}
        return served == {version} == {self.store.live().version}

    def answer_with(self, version: str) -> None:
        """Waits until they rest on it, and asks both."""
        eventually(lambda: self.rests_on(version))
        assert [version_of(http, "nobody") for http in self.both] == [version] * 2


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Pair]:
    """Started at once, on data folders of their own, with the versions at one address of fsspec's.
    Each person may make so many requests a minute, and items are for one person each.
    """
    folder = tmp_path_factory.mktemp("several")
    model = make_tiny(folder / "model")
    postgres.drop_tables()
    flags = [f"--model={model}", f"--database.url={postgres.url}"]
    flags += [f"--versions.url=file://{folder}/versions"]
    flags += [f"--server.limits.per_person={LIMIT}"]
    flags += [f"--server.tasks.{name}=0" for name in ("shared", "gold", "repeats")]
    with ExitStack() as stack:
        clients = []
        for name in ("a", "b"):
            port = free_port()
            own = [f"--data={folder / name}", f"--port={port}"]
            stack.enter_context(process(*flags, *own, RANKLOOP_KEY=KEY))
            url, headers = f"http://127.0.0.1:{port}", {"authorization": f"Bearer {KEY}"}
            http = httpx.Client(base_url=url, headers=headers, timeout=WAIT_S)
            clients.append(stack.enter_context(http))
        for http in clients:
            eventually(partial(answers_ready, http), within_s=START_S)
        store = stack.enter_context(closing(Store.open(postgres.url)))
        yield Pair(tuple(clients), store, Versions(folder / "versions"))


def ask(http: httpx.Client, person: str, **more: Any) -> httpx.Response:
    body = chat_body(user=person, **{"max_tokens": 4, **more})
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer


def version_of(http: httpx.Client, person: str) -> str:
    return ask(http, person, max_tokens=1).headers["x-rankloop-version"]


def is_answered_by(http: httpx.Client, person: str, version: str) -> bool:
    return version_of(http, person) == version


def operate(http: httpx.Client, path: str, **more: Any) -> None:
    answer = http.post(f"/v1/versions/{path}", json={"reason": "a test wants it", **more})
    assert answer.status_code == 200, answer.text


def test_a_promotion_and_a_rollback_by_one_reach_both(pair: Pair) -> None:
    """Each polls the pointer twice a second; how long it takes is benchmarks.servers' matter."""
    id = pair.publish(1)
    operate(pair.a, f"{id}/promote")
    pair.answer_with(id)
    operate(pair.b, "rollback")
    pair.answer_with("v0")


def test_the_learners_own_promotion_reaches_both(pair: Pair) -> None:
    """It moves the pointer in the record and calls nobody."""
    id = pair.publish(2)
    pair.store.promote(id, actor="learner", reason="the gate passed it")
    pair.answer_with(id)
    operate(pair.a, "rollback")
    pair.answer_with("v0")


def test_both_try_a_canary_on_the_same_people(pair: Pair) -> None:
    """Of sixteen names those that the hash chooses get it, whichever they ask, and get it again."""
    id = pair.publish(3)
    operate(pair.a, f"{id}/canary", share=0.5)
    expected = {person: id if chosen(person, id, 0.5) else "v0" for person in PEOPLE}
    assert set(expected.values()) == {id, "v0"}
    lucky = next(person for person in PEOPLE if expected[person] == id)
    for http in pair.both:
        eventually(partial(is_answered_by, http, lucky, id))
    for http in pair.both:
        assert {person: version_of(http, person) for person in PEOPLE} == expected
    operate(pair.b, f"{id}/reject")
    for http in pair.both:
        eventually(partial(is_answered_by, http, lucky, "v0"))


def test_a_damaged_version_is_rolled_back_once_by_both(pair: Pair) -> None:
    """v0 under a good version under a damaged one: both servers find it broken, and the good one
    stays.
    """
    good, bad = pair.publish(4), pair.publish(5)
    operate(pair.a, f"{good}/promote")
    pair.answer_with(good)
    weights = pair.versions.folder(bad) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    pair.store.promote(bad, actor="learner", reason="the gate passed it")
    eventually(lambda: pair.store.version(bad).state == "rejected")
    pair.answer_with(good)
    assert pair.store.version(good).state == "live"
    operate(pair.b, "rollback")
    pair.answer_with("v0")


def test_requests_per_minute_are_counted_together(pair: Pair) -> None:
    """Forty a minute, asked of both in turn: within a twentieth of forty are answered in all."""
    statuses = [
        pair.both[turn % 2].get("/v1/conversations?user=busy").status_code
        for turn in range(2 * LIMIT)
    ]
    assert set(statuses) == {200, 429}
    assert abs(statuses.count(200) - LIMIT) <= LIMIT / 20


def test_an_answer_of_one_is_ranked_at_the_other_and_counts_once(pair: Pair) -> None:
    """The same Idempotency-Key at both is one ranking: made by one, known to the other."""
    ids = ask(pair.a, "ann", n=2, temperature=1.0).json()["rankloop"]["candidates"]
    body = {"candidates": ids, "ranks": [1, 2], "user": "ann"}
    headers = {"idempotency-key": "one click"}
    answers = [http.post("/v1/rankings", json=body, headers=headers) for http in pair.both]
    assert [answer.status_code for answer in answers] == [201, 200]
    lines = map(json.loads, pair.b.get("/v1/me/export?user=ann").text.splitlines())
    kept = [line["number"] for line in lines if line["type"] == "ranking"]
    assert [answer.json()["id"] for answer in answers] == kept * 2


def test_an_item_to_label_is_leased_over_both(pair: Pair) -> None:
    """One item for one person: whoever asks the other server meanwhile gets another, or none."""
    prompts = [{"prompt": f"Question {number}?"} for number in range(3)]
    added = pair.a.post("/v1/prompts", json={"set": "s", "prompts": prompts, "user": "eve"})
    assert added.status_code == 200, added.text
    eve, bob = item(pair.a, "eve"), item(pair.b, "bob")
    assert eve["id"] != bob["id"]
    stolen = rank_item(pair.b, eve, "bob")
    assert stolen.status_code == 409, stolen.text
    assert rank_item(pair.b, eve, "eve").status_code == 201


def item(http: httpx.Client, person: str) -> dict[str, Any]:
    """The item that this person gets, once there is one."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        task = http.get(f"/v1/tasks/next?user={person}").json()["task"]
        found.extend([task] if task else [])
        return bool(task)

    eventually(is_there)
    return found[0]


def rank_item(http: httpx.Client, task: dict[str, Any], person: str) -> httpx.Response:
    ids = [answer["id"] for answer in task["answers"]]
    ranks = list(range(1, len(ids) + 1))
    body = {"task_id": task["id"], "candidates": ids, "ranks": ranks, "user": person}
    return http.post("/v1/rankings", json=body)


def test_one_round_is_asked_for_and_one_learner_has_it(pair: Pair) -> None:
    """Asked for at both servers it is one round; of two learners one is given its lease."""
    rounds = [http.post("/v1/rounds", json={"stages": ["reward"]}).json() for http in pair.both]
    assert rounds[0]["id"] == rounds[1]["id"]
    claims = [pair.store.claim_round(name, ttl_s=60) for name in ("one learner", "another")]
    assert claims[0] is not None
    assert claims[1] is None
    holder = [http.get("/v1/learner").json()["lease"]["holder"] for http in pair.both]
    assert holder == ["one learner"] * 2
    pair.a.post(f"/v1/rounds/{claims[0].round_id}/cancel")
    assert pair.store.cancelled(claims[0])


def test_a_key_that_was_revoked_opens_neither(pair: Pair) -> None:
    """Given while both run; what each keeps of it is forgotten within two seconds."""
    _, key = pair.store.issue_key("ada", ["chat"], actor="test")
    headers = {"authorization": f"Bearer {key}"}

    def statuses() -> list[int]:
        return [http.get("/v1/models", headers=headers).status_code for http in pair.both]

    assert statuses() == [200, 200]
    pair.store.revoke("ada", actor="test")
    eventually(lambda: statuses() == [401, 401])


def test_a_server_with_other_versions_does_not_speak_for_all(
    pair: Pair, tmp_path: Path, postgres: PostgresServer
) -> None:
    """One whose versions.url is forgotten finds no version of the record: it is not ready and says
    what to set, and the live version stays live.
    """
    id = pair.publish(6)
    operate(pair.a, f"{id}/promote")
    pair.answer_with(id)
    port, model = free_port(), pair.versions.read("v0").base
    flags = [f"--data={tmp_path}", f"--model={model}", f"--database.url={postgres.url}"]
    with (
        process(*flags, f"--port={port}", RANKLOOP_KEY=KEY),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        eventually(lambda: id in problems(http), within_s=START_S)
        assert "versions.url must be the same" in problems(http)[id]
        assert http.get("/readyz").status_code == 503
    assert pair.rests_on(id)
    operate(pair.b, "rollback")
    pair.answer_with("v0")


def problems(http: httpx.Client) -> dict[str, str]:
    """What /readyz says of versions that cannot be served."""
    with suppress(httpx.TransportError):
        found: dict[str, str] = http.get("/readyz").json()["problems"]
        return found
    return {}
