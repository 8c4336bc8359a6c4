"""Version changes while requests run: nothing fails, nothing mixes, nothing broken is served."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest
import torch

from feedback.records import StoredCandidate
from policy.model import Model
from tests.server_running import Running, eventually, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    settings = settings_for(tmp_path / "data", make_tiny(tmp_path / "model"), spare_versions=1)
    with running(settings) as server:
        yield server


def served_by(server: Running, model: str = "rankloop") -> str:
    answer = server.chat(model=model, max_tokens=1)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-rankloop-version"]


def rescored(model: Model, candidate: StoredCandidate) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities [T] of the stored tokens by one plain forward pass: softmax(z / T), and
    softmax(z)."""
    ids = torch.tensor([candidate.prompt_ids + candidate.token_ids])
    with torch.inference_mode():
        logits_TV = model.net(input_ids=ids).logits[0, len(candidate.prompt_ids) - 1 : -1].float()
    tokens_T1 = torch.tensor(candidate.token_ids)[:, None]
    tempered_TV = (logits_TV / candidate.params["temperature"]).log_softmax(-1)
    raw_TV = logits_TV.log_softmax(-1)
    return tempered_TV.gather(-1, tokens_T1)[:, 0], raw_TV.gather(-1, tokens_T1)[:, 0]


def verify(server: Running, candidates: list[str]) -> set[str]:
    """Each candidate's stored log-probabilities are those of the version that it names; which
    versions they were."""
    models: dict[str, Model] = {}
    for id in candidates:
        stored = server.store.candidate(id)
        if stored.version not in models:
            models[stored.version] = server.versions.load(stored.version)
        assert stored.digest == server.versions.read(stored.version).digest
        tempered, raw = rescored(models[stored.version], stored)
        torch.testing.assert_close(torch.tensor(stored.logps), tempered, atol=1e-4, rtol=0)
        torch.testing.assert_close(torch.tensor(stored.raw_logps), raw, atol=1e-4, rtol=0)
    return set(models)


def test_hundred_requests_over_ten_swaps(server: Running) -> None:
    """None fails, and re-scoring each answer's tokens with its version's weights gives its
    log-probabilities."""
    ids = [server.publish(0.05, seed) for seed in range(10)]

    def promote_all() -> None:
        for id in ids:
            server.promote(id)

    swaps = Thread(target=promote_all)
    swaps.start()
    with ThreadPoolExecutor(8) as pool:
        first = list(pool.map(lambda i: server.chat(seed=i, temperature=0.8), range(60)))
        swaps.join()
        answers = first + list(pool.map(lambda i: server.chat(seed=i, temperature=0.8), range(40)))
    assert [answer.status_code for answer in answers] == [200] * 100
    for answer in answers:
        assert answer.headers["x-rankloop-version"] == answer.json()["rankloop"]["version"]
    candidates = [answer.json()["rankloop"]["candidates"][0] for answer in answers]
    assert len(verify(server, candidates)) > 2
    assert served_by(server) == ids[-1]


def test_running_answer_finishes_on_its_version(server: Running) -> None:
    """A stream that began before a swap ends on v0, while new requests are answered by v1."""
    id = server.publish(0.05)
    body = {
        "model": "rankloop",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "n": 4,
        "seed": 3,
        "max_tokens": 200,
    }
    with server.http.stream("POST", "/v1/chat/completions", json=body) as stream:
        lines = stream.iter_lines()
        next(lines)
        server.promote(id)
        assert served_by(server) == id
        rest = list(lines)
    assert stream.headers["x-rankloop-version"] == "v0"
    assert '"version":"v0"' in rest[-4]
    assert rest[-2] == "data: [DONE]"


def test_promote_and_rollback_change_who_answers(server: Running) -> None:
    """After a promotion v1 answers; after a rollback v0 does, and v1 stays at hand by name."""
    id = server.publish(0.05)
    server.promote(id)
    assert served_by(server) == id
    answer = server.http.post("/v1/versions/rollback", json={"reason": "worse"})
    assert answer.json()["id"] == "v0"
    eventually(lambda: served_by(server) == "v0", within_s=1.0)
    assert served_by(server, f"rankloop@{id}") == id


def test_swap_is_seen_within_a_second_without_the_api(server: Running) -> None:
    """The learner moves the pointer in the record; the server polls it twice a second."""
    id = server.publish(0.05)
    server.store.promote(id, actor="learner", reason="the gate passed it")
    eventually(lambda: server.serving.current_id == id, within_s=2.0)


def test_version_with_a_flipped_bit_is_not_served(server: Running) -> None:
    """It is rolled back on record, v0 goes on answering, and the reason is to be seen."""
    id = server.publish(0.05)
    weights = server.versions.folder(id) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    server.http.post(f"/v1/versions/{id}/promote", json={"reason": "a test"})
    eventually(lambda: server.store.live().version == "v0")
    assert served_by(server) == "v0"
    version = server.http.get(f"/v1/versions/{id}").json()
    assert version["state"] == "rejected"
    assert "sha256" in version["events"][-1]["reason"]
    assert server.http.get("/readyz").status_code == 200


def test_version_with_infinite_weights_is_not_served(server: Running) -> None:
    """Its files verify, but its first tokens have no finite log-probability."""
    id = server.publish(float("inf"))
    server.http.post(f"/v1/versions/{id}/promote", json={"reason": "a test"})
    eventually(lambda: server.store.live().version == "v0")
    assert server.store.version(id).state == "rejected"
    assert served_by(server) == "v0"


def test_versions_by_name_come_and_go(server: Running) -> None:
    """One spare place: v2 by name is loaded in place of v1, v0 stays, and v1 comes back when asked
    for."""
    first, second = server.publish(0.05, 1), server.publish(0.05, 2)
    assert served_by(server, f"rankloop@{first}") == first
    assert served_by(server, f"rankloop@{second}") == second
    assert server.serving.resident_ids == {"v0", second}
    assert served_by(server, f"rankloop@{first}") == first
    assert served_by(server) == "v0"


def test_version_in_use_is_not_let_go(server: Running) -> None:
    """While a stream reads v1 in the one spare place, v2 is refused; when it has ended, v2 is
    loaded."""
    first, second = server.publish(0.05, 1), server.publish(0.05, 2)
    body = {
        "model": f"rankloop@{first}",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "n": 8,
        "max_tokens": 220,
    }
    with server.http.stream("POST", "/v1/chat/completions", json=body) as stream:
        lines = stream.iter_lines()
        next(lines)
        refused = server.chat(model=f"rankloop@{second}")
        assert refused.json()["error"]["code"] == "version_not_resident"
    eventually(lambda: server.chat(model=f"rankloop@{second}").status_code == 200, within_s=2.0)


def test_restart_serves_what_is_live(tmp_path: Path) -> None:
    """A server that starts anew begins with the live version, and brings v0 beside it."""
    settings = settings_for(tmp_path / "data", make_tiny(tmp_path / "model"))
    with running(settings) as server:
        id = server.publish(0.05)
        server.promote(id)
    with running(settings) as server:
        assert served_by(server) == id
        eventually(lambda: server.serving.resident_ids == {"v0", id})
