"""A server on vLLM whose engines fail: who answers instead, and what the client is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policy.vllm.settings import VllmSettings
from rankloop import Settings
from server.settings import ServerSettings
from server.vllm.placed import adapter_name
from tests.fake_vllm import LOGP, RAW, FakeEngine, served
from tests.server_running import Running, chat_body, eventually, running
from tests.test_server_adapters import publish
from tests.tiny_models import make_tiny


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_tiny(tmp_path / "model")


@pytest.fixture
def engines(model: Path) -> Iterator[tuple[FakeEngine, FakeEngine]]:
    made = FakeEngine(model), FakeEngine(model)
    with served(*made):
        yield made


@pytest.fixture
def server(engines: tuple[FakeEngine, FakeEngine], model: Path) -> Iterator[Running]:
    with running(settings_on(engines, model)) as server:
        # Both are known before one of them fails.
        eventually(lambda: spread_over(server, engines))
        yield server


def settings_on(engines: tuple[FakeEngine, ...], model: Path) -> Settings:
    return Settings(
        data=model.parent / "data",
        model=str(model),
        vllm=VllmSettings(urls=tuple(engine.url for engine in engines)),
        server=ServerSettings(port=0, sampler="vllm"),
    )


def spread_over(server: Running, engines: tuple[FakeEngine, ...]) -> bool:
    server.chat(max_tokens=1)
    return all(engine.asked for engine in engines)


def name_of(server: Running, id: str) -> str:
    return adapter_name(id, server.versions.read(id).digest)


def heard(server: Running, **fields: Any) -> list[str]:
    body = chat_body(stream=True, **fields)
    with server.http.stream("POST", "/v1/chat/completions", json=body) as stream:
        return [line for line in stream.iter_lines() if line]


def test_answers_are_on_record_with_both_log_probabilities(server: Running) -> None:
    """As drawn -1; raw the same where nothing shapes it, else by the second reading, -2."""
    plain, cold = server.chat(max_tokens=3), server.chat(max_tokens=3, temperature=0.5)
    first, second = (
        server.store.candidate(answer.json()["rankloop"]["candidates"][0])
        for answer in (plain, cold)
    )
    assert (first.logps, first.raw_logps) == ((LOGP,) * 3, (LOGP,) * 3)
    assert (second.logps, second.raw_logps) == ((LOGP,) * 3, (RAW,) * 3)


def test_a_dead_engine_is_not_noticed(
    server: Running, engines: tuple[FakeEngine, FakeEngine]
) -> None:
    """Whatever was asked of it before it wrote anything is asked of the other one."""
    engines[0].down = True
    before = len(engines[1].asked)
    assert [server.chat().status_code for _ in range(6)] == [200] * 6
    assert heard(server)[-1] == "data: [DONE]"
    assert len(engines[1].asked) == before + 7


def test_a_stream_that_breaks_off_ends_with_an_error(
    server: Running, engines: tuple[FakeEngine, FakeEngine]
) -> None:
    """A frame that says so and no [DONE], though another engine could go on."""
    for engine in engines:
        engine.broken_after = 3
    last = heard(server)[-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "engine_fault"


def test_an_answer_that_nobody_has_seen_begins_again(
    server: Running, engines: tuple[FakeEngine, FakeEngine]
) -> None:
    """One engine breaks off after three tokens; the client hears the other's whole answer, once."""
    engines[0].broken_after = 3
    asked = len(engines[0].asked)
    while len(engines[0].asked) == asked:
        answer = server.chat(max_tokens=8, n=2)
        assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["completion_tokens"] == 16
    assert len(answer.json()["choices"]) == 2


def test_with_no_engine_left_the_client_is_told_to_come_again(
    server: Running, engines: tuple[FakeEngine, FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, and /readyz says which engines are out; once one is back it answers."""
    monkeypatch.setattr("server.vllm.fleet.Fleet.pick.__defaults__", (0.1,))
    for engine in engines:
        engine.down = True
    assert server.chat().status_code == 503
    ready = server.http.get("/readyz")
    assert ready.status_code == 503
    assert engines[0].url in ready.json()["checks"]["decode"]["detail"]
    engines[1].down = False
    eventually(lambda: server.chat().status_code == 200)


def test_an_engine_that_was_started_anew_has_its_versions_before_it_is_asked(
    server: Running, engines: tuple[FakeEngine, FakeEngine]
) -> None:
    """It forgets its adapter between two looks; nobody hears of it."""
    id = publish(server, 1)
    server.promote(id)
    name = name_of(server, id)
    assert all(name in engine.adapters for engine in engines)
    for engine in engines:
        engine.restart()
    answers = [server.chat() for _ in range(4)]
    assert [answer.headers["x-rankloop-version"] for answer in answers] == [id] * 4
    eventually(lambda: all(name in engine.adapters for engine in engines))


def test_a_version_that_nobody_needs_is_unloaded(
    server: Running, engines: tuple[FakeEngine, FakeEngine]
) -> None:
    """Of five in a row there stay the live one, the one before, v0, and two spare ones."""
    ids = [publish(server, seed) for seed in range(5)]
    for id in ids:
        server.promote(id)
    kept = {name_of(server, id) for id in ("v0", *ids[1:])}
    eventually(lambda: all(set(engine.adapters) == kept for engine in engines))


def test_the_model_itself_is_asked_for_as_an_adapter(
    server: Running, engines: tuple[FakeEngine, FakeEngine]
) -> None:
    """Engines may take a row without one for a row of another's; see policy/vllm/blank.py."""
    server.chat(max_tokens=1)
    name = name_of(server, "v0")
    for engine in engines:
        assert set(engine.asked) == {name}
        assert (Path(engine.adapters[name]) / "adapter_model.safetensors").is_file()


def test_an_engine_that_takes_no_adapters_answers_by_its_own_model(model: Path) -> None:
    """That of v0, by its own name; and gets none later, beside which that might be another's."""
    engine = FakeEngine(model)
    engine.refusal = "LoRA is not enabled"
    with served(engine), running(settings_on((engine,), model)) as server:
        assert server.chat(max_tokens=1).status_code == 200
        assert engine.asked == ["base"]
        engine.refusal = None
        answer = server.chat(model=f"rankloop@{publish(server, 1)}")
        assert answer.status_code == 404
        assert "LoRA is not enabled" in answer.json()["error"]["message"]
        assert engine.adapters == {}


def test_the_model_itself_is_not_asked_for_plainly_beside_adapters(model: Path) -> None:
    """An engine that has a version and refuses what stands for v0 does not have v0."""
    engine = FakeEngine(model)
    with served(engine):
        settings = settings_on((engine,), model)
        with running(settings) as server:
            server.promote(publish(server, 1))
        engine.restart()
        engine.refusal, engine.refused = "no such folder", "rankloop@v0"
        with running(settings) as server:
            assert server.chat(max_tokens=1).json()["rankloop"]["version"] == "v1"
            answer = server.chat(model="rankloop@v0")
            assert answer.status_code == 404
            assert "no such folder" in answer.json()["error"]["message"]
        assert "base" not in engine.asked


def test_an_adapter_that_engines_refuse_is_no_version(
    server: Running, engines: tuple[FakeEngine, FakeEngine]
) -> None:
    """The live version goes on answering, and /readyz has the engine's own words."""
    for engine in engines:
        engine.refusal = "rank 64 is above max_lora_rank 8"
    id = publish(server, 1)
    answer = server.chat(model=f"rankloop@{id}")
    assert answer.status_code == 404
    assert "max_lora_rank" in answer.json()["error"]["message"]
    assert server.chat().status_code == 200


@pytest.mark.parametrize("wrong", ["model", "mode"])
def test_an_engine_of_another_kind_is_not_asked(
    engines: tuple[FakeEngine, FakeEngine], model: Path, wrong: str
) -> None:
    """One that serves another model, or tells raw log-probabilities, is left out; the other one
    answers everything."""
    if wrong == "model":
        engines[0].root = model.parent
    else:
        engines[0].raw = True
    with running(settings_on(engines, model)) as server:
        assert [server.chat().status_code for _ in range(4)] == [200] * 4
    assert engines[0].asked == []


def test_what_an_engine_refuses_is_said(server: Running) -> None:
    """Asking for more than there is room for is refused before any engine is asked."""
    answer = server.chat("word " * 300)
    assert answer.status_code == 400
    assert "maximum context length is 255" in answer.json()["error"]["message"]


def test_requests_are_shared_out(server: Running, engines: tuple[FakeEngine, FakeEngine]) -> None:
    """One after another: each engine has half of them."""
    before = [len(engine.asked) for engine in engines]
    for _ in range(8):
        server.chat()
    assert [len(engine.asked) - had for engine, had in zip(engines, before, strict=True)] == [4, 4]
