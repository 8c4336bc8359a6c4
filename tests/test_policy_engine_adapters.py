"""Adapters in the engine: each version's own weights, on one base, unmerged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from policy import adapters
from policy.cache import SlotCache
from policy.compiled_decoder import CompiledDecoder
from policy.decoders import decoder
from policy.engine import Engine, Request, generate
from policy.lean_decoder import LeanDecoder
from policy.model import load
from policy.params import SamplingParams
from tests.test_policy_adapters import adapted, stir
from tests.test_policy_engine import GREEDY, plain_logps, prompt
from tests.tiny_models import SHAPES, make_tiny


@pytest.fixture(scope="module", params=sorted(SHAPES))
def base(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> PreTrainedModel:
    folder = tmp_path_factory.mktemp("tiny") / request.param
    net = load(make_tiny(folder, request.param)).net
    net.requires_grad_(False)
    return net


def requests(rows: int) -> list[Request]:
    """Prompts of unlike length, whose answers are drawn."""
    params = [SamplingParams(temperature=1.0, max_tokens=12, seed=i) for i in range(rows)]
    return [Request(str(i), prompt(3 + 5 * i, i), params[i]) for i in range(rows)]


@pytest.mark.parametrize("rows", [3, 14])
def test_logps_are_those_of_a_plain_pass(base: PreTrainedModel, rows: int) -> None:
    """Of the net with its adapter, within 1e-5, in a small batch and in one that no kernel takes
    whole."""
    net = adapted(base, 1)
    net.requires_grad_(False)
    for [answer] in generate(Engine(net, rows=rows), requests(rows)).values():
        assert answer.raw_logps == pytest.approx(plain_logps(net, answer), abs=1e-5)


def test_a_prompt_in_parts_is_the_adapters_too(base: PreTrainedModel) -> None:
    """A prompt that goes through a few tokens at a time, and a next turn on what was kept."""
    net = adapted(base, 1)
    net.requires_grad_(False)
    engine = Engine(net, rows=2, keep=200, prefill=8)
    first = Request("a", prompt(40), GREEDY, share="ada")
    [answer] = generate(engine, [first])["a"]
    assert answer.raw_logps == pytest.approx(plain_logps(net, answer), abs=1e-5)
    turn = Request("b", answer.prompt + answer.tokens + prompt(20, 7), GREEDY, share="ada")
    [answer] = generate(engine, [turn])["b"]
    assert answer.raw_logps == pytest.approx(plain_logps(net, answer), abs=1e-5)


def test_two_versions_side_by_side_and_the_base_beneath(base: PreTrainedModel) -> None:
    """Three engines take turns at each step. Each says what it says alone, bit for bit, and both
    versions something else than the base."""
    one, two = adapted(base, 1), adapted(base, 2)
    alone = [generate(Engine(net, rows=4), requests(4)) for net in (base, one, two)]
    engines = [Engine(net, rows=4) for net in (base, one, two)]
    for engine in engines:
        for request in requests(4):
            engine.add(request)
    found: list[dict[tuple[str, int], float]] = [{}, {}, {}]
    while any(engine.busy for engine in engines):
        for engine, said in zip(engines, found, strict=True):
            for token in engine.step():
                said[token.request_id, len([k for k in said if k[0] == token.request_id])] = (
                    token.raw_logp
                )
    for answers, said in zip(alone, found, strict=True):
        for id, [answer] in answers.items():
            assert tuple(said[id, n] for n in range(len(answer.tokens))) == answer.raw_logps
    assert len({tuple(a["3"][0].raw_logps) for a in alone}) == 3


def test_an_adapter_moves_no_weight_of_the_base(base: PreTrainedModel) -> None:
    """The base's joined weights lie where they lay before an adapter's engine was made."""
    Engine(base)
    before = [weight.data_ptr() for weight in base.parameters()]
    generate(Engine(adapted(base, 1), rows=4), requests(4))
    assert [weight.data_ptr() for weight in base.parameters()] == before


def test_a_trained_adapter_may_move_between_generations(base: PreTrainedModel) -> None:
    """One engine follows it."""
    net = adapted(base, 1)
    engine = Engine(net, rows=4)
    generate(engine, requests(4))
    stir(net, 3)
    for [answer] in generate(engine, requests(4)).values():
        assert answer.raw_logps == pytest.approx(plain_logps(net, answer), abs=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_adapters_take_the_written_out_pass(threads: int, tmp_path: Path) -> None:
    """As the base does, with one thread and with several."""
    net = adapted(load(make_tiny(tmp_path)).net, 1)
    try:
        torch.set_num_threads(threads)
        kind = type(decoder(net, SlotCache(64, 32)))
    finally:
        torch.set_num_threads(1)
    assert kind is (CompiledDecoder if threads == 1 else LeanDecoder)


def test_half_precision_takes_it_in_the_adapters(tmp_path: Path) -> None:
    """Over bfloat16 answers are those of a plain pass, to that precision, and not the base's."""
    base = load(make_tiny(tmp_path), dtype=torch.bfloat16).net
    net = adapted(base, 1)
    assert adapters.adapted(net)
    [answer] = generate(Engine(net, rows=2), requests(1))["0"]
    assert answer.raw_logps == pytest.approx(plain_logps(net, answer), abs=0.3)
    other = sum(
        abs(a - b) for a, b in zip(plain_logps(base, answer), answer.raw_logps, strict=True)
    )
    assert other > 1
