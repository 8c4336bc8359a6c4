"""Many prompts over several engines: all are answered, whoever breaks off."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from policy.params import SamplingParams
from policy.requests import Completion
from policy.vllm.client import Engine, EngineDown, session
from policy.vllm.together import answers
from policy.vllm.wire import Asked
from tests.fake_vllm import LOGP, TOKEN, FakeEngine, served

ASKED = [
    Asked("base", (7, place), SamplingParams(max_tokens=4), 2, frozenset(), share="s")
    for place in range(20)
]


def drawn_by(*fakes: FakeEngine) -> list[list[Completion]]:
    async def run() -> list[list[Completion]]:
        async with session() as http:
            return await answers([Engine(fake.url, http) for fake in fakes], ASKED)

    return asyncio.run(run())


def test_answers_come_in_the_prompts_order(tmp_path: Path) -> None:
    fakes = FakeEngine(tmp_path), FakeEngine(tmp_path)
    with served(*fakes):
        found = drawn_by(*fakes)
    assert [[one.prompt for one in some] for some in found] == [[a.prompt] * 2 for a in ASKED]
    assert found[0][0].tokens == (TOKEN,) * 4
    assert found[0][0].logps == (LOGP,) * 4
    assert found[0][0].finish == "length"


def test_what_an_engine_does_not_finish_another_does(tmp_path: Path) -> None:
    """One breaks off each time after two tokens; nothing of that is in the answers."""
    fakes = FakeEngine(tmp_path), FakeEngine(tmp_path)
    fakes[0].broken_after = 2
    with served(*fakes):
        found = drawn_by(*fakes)
    assert fakes[0].asked
    assert {len(one.tokens) for some in found for one in some} == {4}


def test_without_an_engine_it_is_an_error(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path)
    fake.down = True
    with served(fake), pytest.raises(EngineDown, match="does not answer"):
        drawn_by(fake)
