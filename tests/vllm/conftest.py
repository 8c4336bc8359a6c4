"""Two engines for all tests here, and a server over them for each file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from benchmarks.vllm_engines import START_S, Engine, engines
from policy.vllm.settings import VllmSettings
from rankloop import Settings
from server.settings import ServerSettings
from tests.server_running import Running, running
from tests.tiny_models import make_tiny

PYTHON = Path(__file__).parent.parent.parent / ".vllm" / "bin" / "python"
CONTEXT = 256


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Heads of 32, the least that vLLM's attention takes on a CPU."""
    return make_tiny(tmp_path_factory.mktemp("vllm") / "model", num_attention_heads=2)


@pytest.fixture(scope="session")
def fleet(model: Path) -> Iterator[Sequence[Engine]]:
    with engines(PYTHON, model, 2, CONTEXT, model.parent) as made:
        yield made


@pytest.fixture(scope="module")
def server(
    fleet: Sequence[Engine], model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    settings = settings_on(fleet, model, tmp_path_factory.mktemp("data"))
    with running(settings, START_S) as server:
        yield server


def settings_on(fleet: Sequence[Engine], model: Path, data: Path) -> Settings:
    return Settings(
        data=data,
        model=str(model),
        vllm=VllmSettings(urls=tuple(engine.url for engine in fleet)),
        server=ServerSettings(port=0, sampler="vllm"),
    )
