"""/v1/completions, /tokenize and /detokenize over real HTTP, held against OpenAI's own schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.openai_schemas import check
from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny

TEXT = "The capital of France"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("texts")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        yield server


def complete(server: Running, prompt: Any = TEXT, **fields: Any) -> dict[str, Any]:
    body = {"model": "rankloop", "prompt": prompt, "max_tokens": 8, "seed": 1, **fields}
    answer = server.http.post("/v1/completions", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids_of(server: Running, text: str) -> list[int]:
    answer = server.http.post("/tokenize", json={"prompt": text})
    tokens: list[int] = answer.json()["tokens"]
    return tokens


def plain_logps(server: Running, ids: list[int]) -> torch.Tensor:
    """log softmax of v0's logits, [T, V], from one pass without any cache."""
    net = server.versions.load("v0").net
    with torch.inference_mode():
        logits: torch.Tensor = net(torch.tensor([ids])).logits[0]
    return logits.log_softmax(-1)


def test_answer_fits_openais_schema(server: Running) -> None:
    """Text only, with its counts; 16 tokens where nothing is said."""
    answer = complete(server, n=2, max_tokens=None, ignore_eos=True)
    check(answer, "CreateCompletionResponse")
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    assert answer["usage"]["prompt_tokens"] == len(ids_of(server, TEXT))
    assert answer["usage"]["completion_tokens"] == 32


def test_text_and_its_ids_are_one_prompt(server: Running) -> None:
    """No template stands between them."""
    assert contents(complete(server)) == contents(complete(server, ids_of(server, TEXT)))


def contents(answer: dict[str, Any]) -> list[str]:
    return [choice["text"] for choice in answer["choices"]]


def test_several_prompts_are_answered_in_order(server: Running) -> None:
    """Two answers to each of two prompts: the first prompt's come first."""
    both = complete(server, [TEXT, "Hello"], n=2)
    assert contents(both) == [
        *contents(complete(server, TEXT, n=2)),
        *contents(complete(server, "Hello", n=2)),
    ]
    assert [choice["index"] for choice in both["choices"]] == [0, 1, 2, 3]
    as_ids = complete(server, [ids_of(server, TEXT), ids_of(server, "Hello")], n=2)
    assert contents(as_ids) == contents(both)


def test_each_prompt_is_on_record_and_nothing_is_learned_from_it(server: Running) -> None:
    """The second prompt's answers are a generation of their own, without consent."""
    answer = complete(server, [TEXT, "Hello"])
    first, second = map(server.store.candidate, answer["rankloop"]["candidates"])
    assert first.generation_id == answer["id"]
    assert (first.messages, second.messages) == ((("text", TEXT),), (("text", "Hello"),))
    assert second.prompt_ids == tuple(ids_of(server, "Hello"))
    assert not first.consented
    assert not second.consented


def test_echo_scores_the_prompt(server: Running) -> None:
    """What evaluation harnesses ask: every token's log-probability, the prompt's too, and whether
    it was the likeliest."""
    ids = ids_of(server, TEXT)
    answer = complete(server, ids, echo=True, logprobs=1, max_tokens=1, temperature=0)
    [choice] = answer["choices"]
    found = choice["logprobs"]
    assert choice["text"].startswith(TEXT)
    assert found["token_logprobs"][0] is None
    logps = plain_logps(server, ids)
    expected = logps[:-1].gather(-1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()
    assert found["token_logprobs"][1 : len(ids)] == pytest.approx(expected, abs=1e-5)
    for place in range(1, len(ids)):
        name, top = found["tokens"][place], found["top_logprobs"][place]
        likeliest = logps[place - 1].argmax().item() == ids[place]
        assert (max(top, key=lambda token: top[token]) == name) == likeliest
    assert found["text_offset"][: len(ids)] == [
        len("".join(found["tokens"][:place])) for place in range(len(ids))
    ]


def test_echo_alone_gives_the_prompt_back(server: Running) -> None:
    """With no tokens asked for there is nothing else."""
    [choice] = complete(server, echo=True, logprobs=0, max_tokens=0)["choices"]
    assert choice["text"] == TEXT
    assert choice["finish_reason"] == "length"
    assert len(choice["logprobs"]["tokens"]) == len(ids_of(server, TEXT))


@pytest.mark.parametrize("echo", [False, True])
def test_stream_says_what_the_whole_answer_says(server: Running, echo: bool) -> None:
    """Text, log-probabilities and ends of two choices, whole or in frames."""
    fields: dict[str, Any] = {"n": 2, "logprobs": 2, "echo": echo, "stop": ["e"], "max_tokens": 30}
    whole = complete(server, **fields)
    body = {"model": "rankloop", "prompt": TEXT, "seed": 1, "stream": True, **fields}
    answer = server.http.post("/v1/completions", json=body)
    *frames, done, _ = answer.text.split("\n\n")
    assert done == "data: [DONE]"
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    assert "rankloop" in chunks[0]
    assert "rankloop" in chunks[-1]
    for choice in whole["choices"]:
        mine = [c["choices"][0] for c in chunks if c["choices"][0]["index"] == choice["index"]]
        assert "".join(part["text"] for part in mine) == choice["text"]
        assert [part["finish_reason"] for part in mine if part["finish_reason"]] == [
            choice["finish_reason"]
        ]
        for name in ("tokens", "token_logprobs", "top_logprobs"):
            joined = [value for part in mine for value in part["logprobs"][name]]
            assert joined == choice["logprobs"][name]


def test_usage_can_come_with_every_frame(server: Running) -> None:
    """Its count of tokens rises to the whole answer's."""
    options = {"include_usage": True, "continuous_usage_stats": True}
    answer = server.chat(stream=True, stream_options=options, ignore_eos=True)
    frames = [frame.removeprefix("data: ") for frame in answer.text.split("\n\n")][:-2]
    counts = [json.loads(frame)["usage"]["completion_tokens"] for frame in frames]
    assert counts == sorted(counts)
    assert counts[-1] == 16


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": [1, "a"]}, "prompt"),
        ({"prompt": [10**6]}, "prompt"),
        ({"prompt": ["a"] * 257}, "prompt"),
        ({"prompt": "a\x00b"}, "prompt"),
        ({"max_tokens": 10**6}, "max_tokens"),
        ({"logprobs": 21}, "logprobs"),
        ({"best_of": 4}, "best_of"),
        ({"prompt": "word " * 400}, "prompt"),
    ],
)
def test_bad_input_is_refused_by_name(server: Running, fields: dict[str, Any], param: str) -> None:
    """400 in OpenAI's shape, naming the field."""
    body = {"model": "rankloop", "prompt": TEXT, **fields}
    answer = server.http.post("/v1/completions", json=body)
    check(answer.json(), "ErrorResponse")
    assert answer.status_code == 400
    assert str(answer.json()["error"]["param"]).startswith(param)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_no_token_is_an_answer_without_any(server: Running, name: str) -> None:
    """Empty, and cut by the length that was asked, whole or in frames."""
    [choice] = server.chat(**{"max_tokens": None, name: 0, "logprobs": True}).json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")
    assert choice["logprobs"]["content"] == []
    streamed = server.chat(**{"max_tokens": None, name: 0, "stream": True}).text
    assert '"content":""' in streamed
    assert streamed.count('"finish_reason":"length"') == 1


def test_what_has_no_effect_is_taken(server: Running) -> None:
    """Tools that must not be called, a bias of nothing, an answer's prediction."""
    answer = server.chat(
        tools=[{"type": "function", "function": {"name": "f"}}],
        tool_choice="none",
        functions=[{"name": "f"}],
        function_call="none",
        logit_bias={"word": 0},
        prediction={"type": "content", "content": "x"},
        modalities=["text", "audio"],
    )
    assert answer.status_code == 200, answer.text


def test_tokens_come_and_go(server: Running) -> None:
    """Text to ids and back; messages as a chat would render them."""
    ids = ids_of(server, "Hello, Zoë! \N{SNOWMAN}")
    back = server.http.post("/detokenize", json={"tokens": ids}).json()
    assert back == {"prompt": "Hello, Zoë! \N{SNOWMAN}"}
    messages = [{"role": "user", "content": "Hello!"}]
    found = server.http.post("/tokenize", json={"messages": messages}).json()
    answer = server.chat("Hello!").json()
    assert found["count"] == len(found["tokens"]) == answer["usage"]["prompt_tokens"]
    assert found["max_model_len"] == 256


@pytest.mark.parametrize(
    ("route", "body"),
    [("/tokenize", {}), ("/tokenize", {"prompt": "a", "messages": []}), ("/detokenize", {})],
)
def test_neither_is_an_error(server: Running, route: str, body: dict[str, Any]) -> None:
    """400 in OpenAI's shape."""
    answer = server.http.post(route, json=body)
    check(answer.json(), "ErrorResponse")
    assert answer.status_code == 400


def test_a_tool_speaks_as_the_user_and_an_assistant_may_be_silent(server: Running) -> None:
    """A conversation that went through tools elsewhere can be answered here."""
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "What is the weather?"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "Rain.", "tool_call_id": "1"},
    ]
    answer = server.chat(messages=messages).json()
    check(answer, "CreateChatCompletionResponse")
    stored = server.store.candidate(answer["rankloop"]["candidates"][0])
    assert [role for role, _ in stored.messages] == ["user", "assistant", "user"]
    messages[0]["content"] = None
    assert server.chat(messages=messages).status_code == 400
