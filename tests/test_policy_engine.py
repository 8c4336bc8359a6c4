"""The engine against transformers itself, on tiny random models of every supported shape."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from policy.engine import (
    Completion,
    Engine,
    Request,
    Token,
    TooLarge,
    TooLong,
    TooManyRows,
    generate,
)
from policy.model import load
from policy.params import SamplingParams
from tests.tiny_models import SHAPES, make_tiny

GREEDY = SamplingParams(temperature=0.0, max_tokens=12)
CONTEXT = 64


@pytest.fixture(scope="module", params=sorted(SHAPES))
def net(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> PreTrainedModel:
    folder = tmp_path_factory.mktemp("tiny") / request.param
    return load(make_tiny(folder, request.param)).net


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    folder = tmp_path_factory.mktemp("tiny") / "llama"
    return load(make_tiny(folder, max_position_embeddings=CONTEXT)).net


def prompt(length: int, seed: int = 0) -> tuple[int, ...]:
    """Random ids, none special."""
    numbers = random.Random(1000 * seed + length)
    return tuple(numbers.randrange(4, 400) for _ in range(length))


def plain_logps(net: PreTrainedModel, answer: Completion, temperature: float = 1.0) -> list[float]:
    """The answer's log-probabilities from one forward pass without any cache."""
    with torch.inference_mode():
        ids = torch.tensor([answer.prompt + answer.tokens])
        logits = net(input_ids=ids, use_cache=False).logits[0, len(answer.prompt) - 1 : -1]
    logps = (logits / temperature).log_softmax(-1)
    values: list[float] = logps.gather(-1, torch.tensor(answer.tokens)[:, None])[:, 0].tolist()
    return values


def run(engine: Engine) -> list[Token]:
    """Every token until the engine is idle."""
    tokens: list[Token] = []
    while engine.busy:
        tokens += engine.step()
    return tokens


def answer(tokens: list[Token], request_id: str, index: int = 0) -> list[int]:
    return [t.id for t in tokens if (t.request_id, t.index) == (request_id, index)]


def said(answers: dict[str, list[Completion]], request_id: str) -> list[tuple[int, ...]]:
    return [completion.tokens for completion in answers[request_id]]


def test_greedy_equals_transformers(net: PreTrainedModel) -> None:
    """Prompts of unlike length, in a batch that refills as rows leave, get greedy generate()'s
    tokens one by one."""
    prompts = [prompt(length) for length in (1, 2, 5, 9, 9, 30, 100, 3)]
    answers = generate(
        Engine(net, rows=3), [Request(str(i), p, GREEDY) for i, p in enumerate(prompts)]
    )
    for i, p in enumerate(prompts):
        expected = net.generate(  # type: ignore[operator]
            torch.tensor([p]), max_new_tokens=12, do_sample=False, eos_token_id=None
        )
        assert list(answers[str(i)][0].tokens) == expected[0, len(p) :].tolist()


def test_logps_equal_a_plain_forward(net: PreTrainedModel) -> None:
    """Raw and as-sampled log-probabilities are those of one plain pass, within 1e-5."""
    requests = [
        Request(
            str(i), prompt(length, i), SamplingParams(temperature=t, max_tokens=20, seed=i), n=2
        )
        for i, (length, t) in enumerate([(1, 1.0), (7, 0.7), (7, 1.0), (40, 1.5)])
    ]
    answers = generate(Engine(net, rows=6), requests)
    for request in requests:
        for completion in answers[request.id]:
            raw = plain_logps(net, completion)
            sampled = plain_logps(net, completion, request.params.temperature)
            assert completion.raw_logps == pytest.approx(raw, abs=1e-5)
            assert completion.logps == pytest.approx(sampled, abs=1e-5)


def test_frozen_weights_are_held_once(tmp_path: Path) -> None:
    """What needs no gradient is laid out by columns, as views of one tensor, and answers alike; a
    second engine finds it so."""
    requests = [Request(str(i), prompt(9, i), GREEDY) for i in range(3)]
    for shape in ("llama", "qwen2"):
        net = load(make_tiny(tmp_path / shape, shape)).net
        trained = generate(Engine(net), requests)
        net.requires_grad_(False)
        frozen = generate(Engine(net), requests)
        attention = net.base_model.layers[0].self_attn  # type: ignore[union-attr,index]
        weights = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
        assert {weight.stride(0) for weight in weights} == {1}
        assert len({weight.untyped_storage().data_ptr() for weight in weights}) == 1
        before = weights[0].data_ptr()
        Engine(net)
        assert weights[0].data_ptr() == before
        for id, [completion] in frozen.items():
            assert completion.tokens == trained[id][0].tokens
            assert completion.raw_logps == pytest.approx(plain_logps(net, completion), abs=1e-5)


def test_wishes_do_not_reach_the_neighbours(llama: PreTrainedModel) -> None:
    """Penalties, biases and top log-probabilities give the same tokens alone and in a batch, where
    rows with and without them come and go."""
    wishes = [
        SamplingParams(max_tokens=20, seed=1, frequency_penalty=1.5, presence_penalty=0.5),
        SamplingParams(max_tokens=9, seed=2),
        SamplingParams(max_tokens=15, seed=3, repetition_penalty=1.8, logit_bias=((7, 4.0),)),
        SamplingParams(max_tokens=12, seed=4, min_p=0.2, top_logprobs=3),
    ]
    requests = [Request(str(i), prompt(4 + 3 * i, i), p, n=2) for i, p in enumerate(wishes)]
    together = generate(Engine(llama, rows=5), requests)
    for request in requests:
        alone = generate(Engine(llama, rows=2), [request])
        assert said(alone, request.id) == said(together, request.id)


def test_greedy_penalties_equal_transformers(llama: PreTrainedModel) -> None:
    """The repetition penalty, token for token."""
    asked = SamplingParams(temperature=0.0, max_tokens=12, repetition_penalty=1.3)
    answers = generate(Engine(llama, rows=1), [Request("r", prompt(9), asked)])
    expected = llama.generate(  # type: ignore[operator]
        torch.tensor([prompt(9)]),
        max_new_tokens=12,
        do_sample=False,
        eos_token_id=None,
        repetition_penalty=1.3,
    )
    assert list(answers["r"][0].tokens) == expected[0, 9:].tolist()


def test_no_number_fails_that_request_alone(llama: PreTrainedModel) -> None:
    """A prompt that holds one certain token makes the model lose its numbers; its neighbour's
    answer, and the next one in its slot, are what they are alone."""
    poison, healthy = (5, 399, 6), Request("healthy", prompt(9), SamplingParams(max_tokens=8))
    alone = said(generate(Engine(llama, rows=1), [healthy]), "healthy")

    def poisoned(_module: object, inputs: tuple[torch.Tensor], output: torch.Tensor) -> object:
        return output.masked_fill((inputs[0] == 399)[..., None], torch.nan)

    hook = llama.get_input_embeddings().register_forward_hook(poisoned)
    try:
        engine = Engine(llama, rows=2)
        both = generate(engine, [Request("sick", poison, GREEDY), healthy])
    finally:
        hook.remove()
    assert both["sick"][0].finish == "fault"
    assert len(both["sick"][0].tokens) == 1
    assert said(both, "healthy") == alone
    assert said(generate(engine, [replace(healthy, n=2)]), "healthy")[0] == alone[0]


def test_answers_do_not_depend_on_company(llama: PreTrainedModel) -> None:
    """The same request gives the same tokens alone, among others, and beside a cancelled one."""
    request = Request("mine", prompt(9), SamplingParams(max_tokens=30, seed=5), n=2)
    engine = Engine(llama, rows=2)
    engine.add(request)
    alone = run(engine)
    engine = Engine(llama, rows=8)
    for i in range(4):
        engine.add(Request(f"other{i}", prompt(5 + 7 * i, i), SamplingParams(max_tokens=9 + i)))
    together = engine.step()
    engine.add(request)
    for _ in range(4):
        together += engine.step()
    engine.cancel("other1")
    together += run(engine)
    for index in (0, 1):
        assert answer(together, "mine", index) == answer(alone, "mine", index)
    assert answer(alone, "mine", 0) != answer(alone, "mine", 1)


def test_seed_decides_the_answer(llama: PreTrainedModel) -> None:
    """One seed, one answer; another seed, another."""
    requests = [
        Request(id, prompt(9), SamplingParams(max_tokens=20, seed=seed))
        for id, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    answers = generate(Engine(llama), requests)
    a, b, c = (answers[id][0].tokens for id in "abc")
    assert a == b != c


def test_stop_id_ends_a_row_and_is_kept(llama: PreTrainedModel) -> None:
    """The stop id is the answer's last token, with its log-probability."""
    [free] = generate(Engine(llama), [Request("a", prompt(9), GREEDY)])["a"]
    stop = free.tokens[4]
    expected = free.tokens[: free.tokens.index(stop) + 1]
    request = Request("a", prompt(9), GREEDY, stop_ids=frozenset({stop}))
    [stopped] = generate(Engine(llama), [request])["a"]
    assert stopped.tokens == expected
    assert len(stopped.raw_logps) == len(stopped.logps) == len(expected)
    assert (free.finish, stopped.finish) == ("length", "stop")


def test_context_end_finishes_with_length(llama: PreTrainedModel) -> None:
    """A prompt of 60 in a context of 64 gets four tokens; one of 63 gets one."""
    many = SamplingParams(max_tokens=100)
    answers = generate(
        Engine(llama), [Request("a", prompt(60), many), Request("b", prompt(63), many)]
    )
    assert [len(answers[id][0].tokens) for id in ("a", "b")] == [4, 1]
    assert answers["a"][0].finish == answers["b"][0].finish == "length"
    assert answers["a"][0].raw_logps == pytest.approx(plain_logps(llama, answers["a"][0]), abs=1e-5)


def test_too_long_is_refused_in_openais_words(llama: PreTrainedModel) -> None:
    """A prompt that leaves no room for a token is refused at once; clients know the sentence."""
    engine = Engine(llama)
    with pytest.raises(TooLong) as refusal:
        engine.add(Request("a", prompt(64), GREEDY))
    assert str(refusal.value) == (
        "This model's maximum context length is 64 tokens. However, your messages resulted in "
        "64 tokens. Please reduce the length of the messages."
    )
    with pytest.raises(TooManyRows, match="at most 2 times"):
        Engine(llama, rows=2).add(Request("a", prompt(4), GREEDY, n=3))
    with pytest.raises(TooLong):
        generate(engine, [Request("a", prompt(4), GREEDY), Request("b", prompt(64), GREEDY)])
    assert not engine.busy


def test_rows_fill_in_the_order_of_arrival(llama: PreTrainedModel) -> None:
    """Three requests of two answers on four rows: the third waits for both rows of another."""
    engine = Engine(llama, rows=4)
    for id, tokens in (("a", 2), ("b", 4), ("c", 1)):
        engine.add(Request(id, prompt(5), SamplingParams(max_tokens=tokens), n=2))
    seen = [(engine.waiting, engine.running)]
    while engine.busy:
        engine.step()
        seen.append((engine.waiting, engine.running))
    assert seen == [(3, 0), (1, 4), (1, 2), (0, 2), (0, 0)]


def test_cancel_frees_what_it_names(llama: PreTrainedModel) -> None:
    """One answer, a whole request, a waiting one; the rest runs on undisturbed."""
    engine = Engine(llama, rows=5)
    engine.add(Request("a", prompt(9), GREEDY, n=3))
    engine.add(Request("b", prompt(30), GREEDY, n=2))
    engine.add(Request("c", prompt(6), GREEDY, n=2))
    tokens = engine.step()
    engine.cancel("a", 1)
    engine.cancel("c", 0)
    engine.cancel("nobody")
    assert (engine.running, engine.waiting) == (4, 1)
    tokens += engine.step()  # c's one answer takes the free row
    assert (engine.running, engine.waiting) == (5, 0)
    engine.cancel("b")
    assert engine.running == 3
    tokens += run(engine)
    assert len(answer(tokens, "a", 1)) == 1
    assert len(answer(tokens, "b", 0)) == 2
    assert answer(tokens, "c", 0) == []
    alone = generate(
        Engine(llama), [Request("a", prompt(9), GREEDY), Request("c", prompt(6), GREEDY)]
    )
    assert answer(tokens, "a", 0) == answer(tokens, "a", 2) == list(alone["a"][0].tokens)
    assert answer(tokens, "c", 1) == list(alone["c"][0].tokens)


def passes(net: PreTrainedModel, run: Callable[[], object]) -> list[int]:
    """How many tokens went through the model at each of its passes while `run` ran."""
    tokens: list[int] = []
    hook = net.get_input_embeddings().register_forward_pre_hook(
        lambda _module, inputs: tokens.append(inputs[0].numel())
    )
    run()
    hook.remove()
    return tokens


def test_one_prefill_serves_all_answers(llama: PreTrainedModel) -> None:
    """Eight answers to one prompt run its first 19 positions through the model once; the 20th is
    each row's first input."""
    request = Request("a", prompt(20), SamplingParams(max_tokens=2), n=8)
    prompt_once, *steps = passes(llama, lambda: generate(Engine(llama), [request]))
    assert (prompt_once, set(steps)) == (19, {8})


def test_a_long_prompt_holds_nobody_up(llama: PreTrainedModel) -> None:
    """A prompt of 50 at 16 a step takes four steps, and its neighbour gets a token at each; both
    answers are what they are alone."""
    long, short = Request("long", prompt(50), GREEDY), Request("short", prompt(5), GREEDY)
    engine = Engine(llama, rows=4, prefill=16)
    engine.add(short)
    engine.step()
    engine.add(replace(long, n=2))
    steps = [engine.step() for _ in range(5)]
    assert [len(tokens) for tokens in steps] == [1, 1, 1, 3, 3]
    rest = [token for tokens in steps for token in tokens] + run(engine)
    alone = generate(Engine(llama), [long, short])
    assert answer(rest, "short") == list(alone["short"][0].tokens[1:])
    assert answer(rest, "long", 0) == answer(rest, "long", 1) == list(alone["long"][0].tokens)


def test_a_prompt_on_its_way_can_be_cancelled(llama: PreTrainedModel) -> None:
    """Its rows are free at once."""
    engine = Engine(llama, rows=2, prefill=16)
    engine.add(Request("a", prompt(50), GREEDY, n=2))
    engine.step()
    assert engine.running == 2
    engine.cancel("a", 1)
    assert engine.running == 1
    engine.cancel("a")
    assert (engine.running, engine.busy) == (0, False)


def next_turn(net: PreTrainedModel, first: str | None, second: str | None) -> int:
    """How many positions a conversation's second turn, of 40 and 12 tokens, computes anew; its
    answer is checked against an engine that keeps nothing."""
    engine = Engine(net, rows=2, context=64, keep=100)
    opening = Request("1", prompt(34), replace(GREEDY, max_tokens=6), share=first)
    [said] = generate(engine, [opening])["1"]
    turn = Request("2", (*said.prompt, *said.tokens, *prompt(12)), GREEDY, share=second)
    answers: list[tuple[int, ...]] = []
    new, *steps = passes(net, lambda: answers.append(generate(engine, [turn])["2"][0].tokens))
    assert answers[0] == generate(Engine(net), [replace(turn, share=None)])["2"][0].tokens
    assert set(steps) == {1}
    return new


def test_a_next_turn_computes_what_is_new(llama: PreTrainedModel) -> None:
    """Of 52 tokens the last is the first input, and 39 were computed: the last drawn one was not.
    Nobody else's conversation is looked at."""
    assert next_turn(llama, "ada", "ada") == 12
    assert next_turn(llama, "ada", "bob") == 51
    assert next_turn(llama, None, None) == 51


def test_next_turns_that_come_together_begin_together(llama: PreTrainedModel) -> None:
    """Three conversations of 34 and 5 kept positions go on with two tokens more: 9 positions are
    new, and one step of 16 takes them all and gives everybody a token."""
    engine = Engine(llama, rows=3, keep=200, prefill=16)
    openings = [
        Request(f"{n}", prompt(34, n), replace(GREEDY, max_tokens=6), share="a") for n in range(3)
    ]
    for id, [said] in generate(engine, openings).items():
        turn = (*said.prompt, *said.tokens, *prompt(2))
        engine.add(Request(f"next {id}", turn, GREEDY, share="a"))
    assert len(engine.step()) == 3


def test_no_more_is_kept_than_there_is_room_for(llama: PreTrainedModel) -> None:
    """Room for 80 positions keeps two rows of 39 and lets the least recently used go."""
    engine = Engine(llama, rows=1, keep=80)
    for number in (1, 2, 1, 3):
        request = Request(
            f"r{number}", prompt(34, number), replace(GREEDY, max_tokens=6), share="a"
        )
        generate(engine, [request])
    found = [bool(engine._prefixes.find("a", prompt(34, number))) for number in (1, 2, 3)]
    assert found == [True, False, True]


def test_prompts_are_scored(llama: PreTrainedModel) -> None:
    """Every token but the first, within 1e-5 of a plain pass, with the likeliest beside; in parts
    or whole, however many answers there are."""
    ids = prompt(40)
    with torch.inference_mode():
        logps = llama(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = logps[:-1].gather(-1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()
    for parts in (16, 256):
        engine = Engine(llama, prefill=parts)
        engine.add(Request("a", ids, GREEDY, n=2, prompt_logprobs=2))
        tokens = run(engine)
        [scores] = [token.scores for token in tokens if token.scores]
        assert scores.logps == pytest.approx(expected, abs=1e-5)
        assert [top[0][0] for top in scores.tops] == logps[:-1].argmax(-1).tolist()
        assert {len(top) for top in scores.tops} == {2}


def test_a_step_can_be_done_again(llama: PreTrainedModel) -> None:
    """An answer begun with its own first tokens goes on as it did, penalties and all, and the odds
    of the next one hold its log-probability; in parts or whole."""
    wishes = SamplingParams(
        temperature=0.7, top_k=30, repetition_penalty=1.3, presence_penalty=0.4, max_tokens=20
    )
    ids = prompt(30)
    [first] = generate(Engine(llama), [Request("a", ids, wishes)])["a"]
    for place in (0, 1, 13):
        again = replace(wishes, max_tokens=place + 1, odds=30)
        engine = Engine(llama, prefill=16 if place == 13 else 256)
        engine.add(Request("b", ids, again, said=first.tokens[:place]))
        [token] = run(engine)
        assert (token.id, token.finish) == (first.tokens[place], "length")
        assert token.logp == pytest.approx(first.logps[place], abs=1e-5)
        assert dict(token.odds)[token.id] == pytest.approx(token.logp, abs=1e-6)
        assert sum(math.exp(logp) for _, logp in token.odds) == pytest.approx(1, abs=1e-5)


def test_positions_are_bounded(llama: PreTrainedModel) -> None:
    """Room for 100 positions: two rows of up to 50 run, a third waits, and what can never fit is
    refused with the numbers."""
    engine = Engine(llama, rows=8, positions=100)
    asked = SamplingParams(max_tokens=20)
    for id in "abc":
        engine.add(Request(id, prompt(30), asked))
    engine.step()
    assert (engine.running, engine.waiting, engine.used) == (2, 1, 1.0)
    with pytest.raises(TooLarge, match=r"150 tokens of attention cache \(3 x 50\).*has 100"):
        engine.add(Request("d", prompt(30), asked, n=3))
    tokens = run(engine)
    alone = generate(Engine(llama), [Request("c", prompt(30), asked)])
    assert answer(tokens, "c") == list(alone["c"][0].tokens)


def test_slots_are_laid_out_anew(tmp_path: Path) -> None:
    """Where short and long answers come and go in little room, none loses a position."""
    net = load(make_tiny(tmp_path, max_position_embeddings=700)).net
    requests = [
        Request(str(i), prompt(length, i), SamplingParams(max_tokens=tokens, seed=i), n=n)
        for i, (length, tokens, n) in enumerate(
            [(10, 20, 3), (100, 150, 2), (5, 9, 4), (200, 440, 1), (8, 30, 5), (90, 200, 2)]
        )
    ]
    together = generate(Engine(net, rows=6, positions=700), requests)
    for request in requests:
        alone = generate(Engine(net, rows=6), [request])
        assert said(together, request.id) == said(alone, request.id)


def test_weights_may_change_between_generations(tmp_path: Path) -> None:
    """One engine follows its weights through a training step: no cache outlives an answer."""
    net = load(make_tiny(tmp_path)).net
    engine = Engine(net, rows=4)
    request = Request("a", prompt(9), SamplingParams(max_tokens=20, seed=1), n=4)
    before = generate(engine, [request])["a"]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    ids = torch.tensor([before[0].prompt + before[0].tokens])
    net(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    after = generate(engine, [request])["a"]
    assert [a.tokens for a in after] != [b.tokens for b in before]
    for completion in after:
        assert completion.raw_logps == pytest.approx(plain_logps(net, completion), abs=1e-5)


def test_slots_grow_to_the_context(tmp_path: Path) -> None:
    """An answer that outgrows the first 256 positions keeps its earlier ones."""
    net = load(make_tiny(tmp_path, max_position_embeddings=700)).net
    request = Request("a", prompt(200), SamplingParams(max_tokens=450, seed=3))
    [long] = generate(Engine(net, rows=2), [request])["a"]
    assert len(long.tokens) == 450
    assert long.raw_logps == pytest.approx(plain_logps(net, long), abs=2e-5)
