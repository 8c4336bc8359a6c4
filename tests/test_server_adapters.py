"""Adapter versions in the server: swapped in under load, each over the one base."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from policy import adapters
from server.decode.hosting import Bases
from server.decode.orders import Load
from server.settings import ServerSettings
from tests.server_running import Running, eventually, running, settings_for
from tests.test_policy_adapters import stir
from tests.test_server_residence import served_by, verify
from tests.tiny_models import make_tiny


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    settings = settings_for(tmp_path / "data", make_tiny(tmp_path / "model"))
    with running(settings) as server:
        yield server


def publish(server: Running, seed: int) -> str:
    """A new verified adapter version that says something else than v0."""
    base = server.versions.load("v0")
    net = adapters.share(base.net)
    adapters.attach(net, rank=4, alpha=8.0, seed=seed, base=server.versions.read("v0").base)
    stir(net, seed)
    id = server.store.next_id("v")
    manifest = server.versions.publish(
        id, replace(base, net=net), kind="adapter", parent="v0", round=None
    )
    server.store.register_version(id, digest=manifest.digest, parent="v0", kind="adapter")
    server.store.verify(id, actor="test", reason="published by a test")
    return id


def test_requests_over_swaps_of_adapters(server: Running) -> None:
    """None fails, and each answer's log-probabilities are those of the version that it names, by a
    plain pass of that adapter over v0."""
    ids = [publish(server, seed) for seed in range(3)]
    with ThreadPoolExecutor(8) as pool:
        first = pool.map(lambda i: server.chat(seed=i, temperature=0.8), range(30))
        for id in ids:
            server.promote(id)
        answers = [*first, *pool.map(lambda i: server.chat(seed=i, temperature=0.8), range(20))]
    assert [answer.status_code for answer in answers] == [200] * 50
    candidates = [answer.json()["rankloop"]["candidates"][0] for answer in answers]
    assert ids[-1] in verify(server, candidates)
    assert served_by(server) == ids[-1]


def test_versions_side_by_side_say_each_its_own(server: Running) -> None:
    """Two adapters by name and v0, asked at once: all three re-score exactly, and v0 answers as it
    did before any adapter was there."""
    before = server.chat(seed=1, temperature=0.8, model="rankloop@v0").json()["choices"]
    ids = ["v0", publish(server, 1), publish(server, 2)]
    for id in ids:
        served_by(server, f"rankloop@{id}")
    with ThreadPoolExecutor(6) as pool:
        asked = [(id, seed) for seed in range(8) for id in ids]
        answers = pool.map(
            lambda one: server.chat(seed=one[1], temperature=0.8, model=f"rankloop@{one[0]}"), asked
        )
        candidates = [answer.json()["rankloop"]["candidates"][0] for answer in answers]
    assert verify(server, candidates) == set(ids)
    assert server.chat(seed=1, temperature=0.8, model="rankloop@v0").json()["choices"] == before


def test_restart_with_a_live_adapter(tmp_path: Path) -> None:
    """It answers first, over a base that v0 then stands on too."""
    settings = settings_for(tmp_path / "data", make_tiny(tmp_path / "model"))
    with running(settings) as server:
        id = publish(server, 1)
        server.promote(id)
    with running(settings) as server:
        assert served_by(server) == id
        eventually(lambda: server.serving.resident_ids == {"v0", id})
        answers = [server.chat(seed=i, model=f"rankloop@{v}") for v in ("v0", id) for i in (1, 2)]
        candidates = [answer.json()["rankloop"]["candidates"][0] for answer in answers]
        assert verify(server, candidates) == {"v0", id}


def test_all_hosted_versions_are_on_one_base(server: Running) -> None:
    """Whatever comes first, v0 and two adapters have the same tensors, and only adapters beside."""
    ids = [publish(server, 1), publish(server, 2)]
    folder = server.versions.folder
    bases = Bases(ServerSettings())
    one, v0, two = (
        bases.model(Load(id, folder(id), folder("v0"))).net for id in (ids[0], "v0", ids[1])
    )
    shared = {id(weight) for weight in v0.parameters()}
    for net in (one, two):
        own = {id(weight) for _, weight in adapters.own_weights(net)}
        assert {id(weight) for weight in net.parameters()} - own == shared
