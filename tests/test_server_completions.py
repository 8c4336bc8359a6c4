"""/v1/chat/completions and /v1/models over real HTTP, held against OpenAI's own schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.openai_schemas import check
from tests.server_running import Running, chat_body, eventually, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("completions")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        yield server


def stream(server: Running, **fields: Any) -> list[dict[str, Any]]:
    """The chunks of a stream that ends with [DONE], each held against the schema."""
    answer = server.chat(stream=True, **fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    *frames, done, nothing = answer.text.split("\n\n")
    assert (done, nothing) == ("data: [DONE]", "")
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    for chunk in chunks:
        check(chunk, "CreateChatCompletionStreamResponse")
    return chunks


def texts(chunks: list[dict[str, Any]], n: int = 1) -> list[str]:
    """Each choice's text, its pieces joined."""
    joined = [""] * n
    for chunk in chunks:
        for choice in chunk["choices"]:
            joined[choice["index"]] += choice["delta"].get("content") or ""
    return joined


def contents(answer: dict[str, Any]) -> list[str]:
    return [choice["message"]["content"] for choice in answer["choices"]]


# Shapes


def test_answer_fits_openais_schema(server: Running) -> None:
    """A whole answer validates, and its counts add up: two answers of 16 tokens at most."""
    answer = server.chat(n=2).json()
    check(answer, "CreateChatCompletionResponse")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 2 <= usage["completion_tokens"] <= 32


def test_answer_names_its_version_and_candidates(server: Running) -> None:
    """The header and the field name v0; there is a candidate for each choice."""
    response = server.chat(n=3)
    field = response.json()["rankloop"]
    assert response.headers["x-rankloop-version"] == field["version"] == "v0"
    assert field["completion_id"] == response.json()["id"]
    assert field["digest"] == server.versions.read("v0").digest
    assert len(set(field["candidates"])) == 3


def test_stream_gives_each_choice_a_role_first_and_one_finish(server: Running) -> None:
    """For each of three choices: the role in its first chunk, one finish reason, in its last."""
    chunks = stream(server, n=3)
    for index in range(3):
        own = [c["choices"][0] for c in chunks if c["choices"][0]["index"] == index]
        assert own[0]["delta"]["role"] == "assistant"
        assert all("role" not in choice["delta"] for choice in own[1:])
        assert [c["finish_reason"] is not None for c in own] == [False] * (len(own) - 1) + [True]


def test_stream_carries_our_field_on_first_and_last_chunk(server: Running) -> None:
    """With and without a usage chunk at the end."""
    for options in (None, {"include_usage": True}):
        chunks = stream(server, stream_options=options)
        assert ["rankloop" in chunk for chunk in chunks] == [
            True,
            *[False] * (len(chunks) - 2),
            True,
        ]
        assert chunks[0]["rankloop"] == chunks[-1]["rankloop"]


def test_usage_chunk_comes_last_when_asked(server: Running) -> None:
    """No choices in it, null usage in all others, and the same counts as a whole answer's."""
    *others, last = stream(server, seed=3, stream_options={"include_usage": True})
    assert last["choices"] == []
    assert all(chunk["usage"] is None for chunk in others)
    assert last["usage"] == server.chat(seed=3).json()["usage"]


def test_models_fit_openais_schema(server: Running) -> None:
    """The live model and v0 by name are listed, and found one by one."""
    listing = server.http.get("/v1/models").json()
    check(listing, "ListModelsResponse")
    assert [model["id"] for model in listing["data"]][:2] == ["rankloop", "rankloop@v0"]
    one = server.http.get("/v1/models/rankloop@v0").json()
    check(one, "Model")
    assert one == listing["data"][1]


def test_logprobs_are_those_stored(server: Running) -> None:
    """Of each token with text: the raw model's log-probability, in a whole answer and in a
    stream."""
    answer = server.chat(seed=5, temperature=0.7, logprobs=True).json()
    check(answer, "CreateChatCompletionResponse")
    [choice] = answer["choices"]
    given = [token["logprob"] for token in choice["logprobs"]["content"]]
    stored = server.store.candidate(answer["rankloop"]["candidates"][0])
    assert given == pytest.approx(stored.raw_logps[: len(given)])
    assert len(given) == len(stored.token_ids) - (choice["finish_reason"] == "stop")
    streamed = [
        token["logprob"]
        for chunk in stream(server, seed=5, temperature=0.7, logprobs=True)
        for token in (chunk["choices"][0]["logprobs"] or {"content": []})["content"]
    ]
    assert streamed == given


# What is sampled


@pytest.mark.parametrize("stop", [None, ["e", "o"]])
def test_stream_says_what_the_whole_answer_says(server: Running, stop: list[str] | None) -> None:
    """The same seed gives the same four texts either way, stop strings or not."""
    fields: dict[str, Any] = {"n": 4, "seed": 11, "stop": stop, "max_tokens": 40}
    answer = server.chat(**fields).json()
    chunks = stream(server, **fields)
    assert texts(chunks, 4) == contents(answer)
    finishes = {
        c["choices"][0]["index"]: c["choices"][0]["finish_reason"]
        for c in chunks
        if c["choices"][0]["finish_reason"]
    }
    assert [finishes[i] for i in range(4)] == [c["finish_reason"] for c in answer["choices"]]


def test_choices_differ_and_a_seed_repeats_them(server: Running) -> None:
    """Four choices of one request are four draws; the same seed draws the same four."""
    first = contents(server.chat(n=4, seed=7).json())
    assert len(set(first)) == 4
    assert contents(server.chat(n=4, seed=7).json()) == first
    assert contents(server.chat(n=4, seed=8).json()) != first


def test_a_drawn_seed_is_stored_and_repeats_the_answer(server: Running) -> None:
    """Without a seed one is drawn; asking again with it gives the same text."""
    answer = server.chat().json()
    seed = server.store.candidate(answer["rankloop"]["candidates"][0]).seed
    assert contents(server.chat(seed=seed).json()) == contents(answer)


def test_temperature_0_is_greedy(server: Running) -> None:
    """Whatever the seed, the text is the same, and so is that of a nucleus of nothing."""
    greedy = {tuple(contents(server.chat(temperature=0, seed=seed).json())) for seed in (1, 2)}
    assert greedy == {tuple(contents(server.chat(top_p=0).json()))}


def test_stop_string_ends_the_answer_before_it(server: Running) -> None:
    """Cut in the middle of a greedy answer: the text ends there, the finish reason is "stop"."""
    whole = contents(server.chat(temperature=0, max_tokens=30).json())[0]
    stop = whole[5:8]
    answer = server.chat(temperature=0, max_tokens=30, stop=stop).json()
    assert contents(answer)[0] == whole[: whole.index(stop)]
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] < 30


def test_longest_answer_is_what_was_asked(server: Running) -> None:
    """Five tokens under the old name and the new one; the new one goes first."""
    for bound in ({"max_tokens": 5}, {"max_completion_tokens": 5, "max_tokens": 9}):
        answer = server.chat(seed=1, **bound).json()
        assert answer["usage"]["completion_tokens"] == 5
        assert answer["choices"][0]["finish_reason"] == "length"


def test_text_parts_and_developer_are_taken(server: Running) -> None:
    """Parts make one text, and a developer is a system: both are stored so."""
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}]
    answer = server.http.post(
        "/v1/chat/completions", json={"model": "rankloop", "messages": messages, "max_tokens": 2}
    ).json()
    stored = server.store.candidate(answer["rankloop"]["candidates"][0])
    assert stored.messages == (("system", "Be brief."), ("user", "one\ntwo"))


@pytest.mark.parametrize("roles", [["system"], ["assistant"], ["user", "assistant"]])
def test_conversations_of_any_order_are_answered(server: Running, roles: list[str]) -> None:
    """A system text alone, or an answer as the last turn: the template takes them, so do we."""
    messages = [{"role": role, "content": "Hi"} for role in roles]
    assert server.chat(messages=messages).status_code == 200


# What is stored


def test_answer_is_stored_with_all_that_reproduces_it(server: Running) -> None:
    """Tokens, both log-probabilities, version, digest, parameters, seed and template."""
    answer = server.chat(n=2, temperature=0.8, top_p=0.9, seed=42, user="ada").json()
    for index, id in enumerate(answer["rankloop"]["candidates"]):
        stored = server.store.candidate(id)
        assert stored.text == contents(answer)[index]
        assert len(stored.token_ids) == len(stored.logps) == len(stored.raw_logps)
        assert (stored.version, stored.digest) == ("v0", server.versions.read("v0").digest)
        assert (stored.seed, stored.person, stored.consented) == (42, "ada", True)
        assert (stored.params["temperature"], stored.params["top_p"]) == (0.8, 0.9)
        assert len(stored.template_hash) == 64
        assert len(stored.prompt_ids) == answer["usage"]["prompt_tokens"]


def test_conversation_is_named_or_derived(server: Running) -> None:
    """By metadata if it says one; else all turns of one person's conversation share one."""

    def conversation(*texts: str, **fields: Any) -> str:
        messages = [
            {"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)
        ]
        answer = server.chat(**fields, **({"messages": messages} if texts else {})).json()
        return server.store.candidate(answer["rankloop"]["candidates"][0]).conversation_id

    assert conversation(metadata={"conversation_id": "c-1"}) == "c-1"
    first = conversation("Hi", user="ada")
    assert conversation("Hi", "Hello", "And now?", user="ada") == first
    assert conversation("Hi", user="bob") != first
    assert conversation("Ho", user="ada") != first


def test_store_false_keeps_an_answer_from_training(server: Running) -> None:
    """OpenAI's flag: the answer is on record, without consent."""
    answer = server.chat(store=False).json()
    assert not server.store.candidate(answer["rankloop"]["candidates"][0]).consented


# What else may be asked


def test_bias_decides(server: Running) -> None:
    """A bias of 100 makes every token that one; it is on record."""
    answer = server.chat(logit_bias={"65": 100}, max_tokens=5).json()
    stored = server.store.candidate(answer["rankloop"]["candidates"][0])
    assert stored.token_ids == (65,) * 5
    assert stored.params["logit_bias"] == [[65, 100.0]]


def test_the_coldest_temperature_has_numbers(server: Running) -> None:
    """What float32 cannot divide by still answers as greedy does, with a finite record."""
    greedy = server.chat(temperature=0).json()
    cold = server.chat(temperature=1e-300, top_k=2**62).json()
    assert contents(cold) == contents(greedy)
    stored = server.store.candidate(cold["rankloop"]["candidates"][0])
    assert stored.logps == pytest.approx((0.0,) * len(stored.logps), abs=1e-3)


def test_penalty_forbids_repetition(server: Running) -> None:
    """A token that was said is halved, and so gives way to one that was not."""
    fields = {"logit_bias": {"65": 100, "66": 90}, "max_tokens": 2, "temperature": 0}
    ids = []
    for penalty in (1, 2):
        answer = server.chat(**fields, repetition_penalty=penalty).json()
        ids.append(server.store.candidate(answer["rankloop"]["candidates"][0]).token_ids)
    assert ids == [(65, 65), (65, 66)]


def test_stop_ids_end_an_answer_without_their_text(server: Running) -> None:
    """The token is on record and not in the text."""
    answer = server.chat(logit_bias={"65": 100}, stop_token_ids=[65]).json()
    assert contents(answer) == [""]
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert server.store.candidate(answer["rankloop"]["candidates"][0]).token_ids == (65,)


def test_end_may_be_ignored_or_put_off(server: Running) -> None:
    """An end-of-turn token that is sure to come ends nothing, or nothing before min_tokens."""
    stop = min(server.versions.load("v0").chat.stop_ids)
    sure = {"logit_bias": {str(stop): 100}, "max_tokens": 6}
    tokens = [
        server.chat(**sure, **fields).json()["usage"]["completion_tokens"]
        for fields in ({}, {"min_tokens": 3}, {"ignore_eos": True})
    ]
    assert tokens == [1, 4, 6]


def test_top_logprobs_come_with_each_token(server: Running) -> None:
    """So many as asked for, likeliest first; greedily the token is the first of them."""
    answer = server.chat(logprobs=True, top_logprobs=3, temperature=0, n=2).json()
    check(answer, "CreateChatCompletionResponse")
    for token in answer["choices"][1]["logprobs"]["content"]:
        logps = [top["logprob"] for top in token["top_logprobs"]]
        assert len(logps) == 3
        assert logps == sorted(logps, reverse=True)
        assert token["token"] == token["top_logprobs"][0]["token"]
        assert token["logprob"] == logps[0]
    stream(server, logprobs=True, top_logprobs=2)


# What is refused

ONE = {"role": "user", "content": "Hi"}
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no model", {"model": None}, "model"),
    ("no messages", {"messages": []}, "messages"),
    ("too many messages", {"messages": [ONE] * 1025}, "messages"),
    ("unknown role", {"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ("number as text", {"messages": [ONE, {"role": "user", "content": 5}]}, "messages[1].content"),
    (
        "a picture",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages[0].content",
    ),
    ("half a surrogate", {"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0]"),
    ("NUL", {"messages": [{"role": "user", "content": "a\x00"}]}, "messages[0].content"),
    ("n of 0", {"n": 0}, "n"),
    ("n above the bound", {"n": 17}, "n"),
    ("n as text", {"n": "2"}, "n"),
    ("n as truth", {"n": True}, "n"),
    ("fewer tokens than none", {"max_tokens": -1}, "max_tokens"),
    ("too many tokens", {"max_tokens": 1025}, "max_tokens"),
    ("too many completion tokens", {"max_completion_tokens": 9999}, "max_completion_tokens"),
    ("cold", {"temperature": -0.1}, "temperature"),
    ("hot", {"temperature": 2.1}, "temperature"),
    ("top_p", {"top_p": 1.5}, "top_p"),
    ("five stops", {"stop": ["a"] * 5}, "stop"),
    ("an empty stop", {"stop": [""]}, "stop"),
    ("a stop that is none", {"stop": 3}, "stop"),
    ("a long stop", {"stop": "x" * 257}, "stop"),
    ("seed of 65 bits", {"seed": 2**64}, "seed"),
    ("stream as text", {"stream": "yes"}, "stream"),
    ("user", {"user": 3}, "user"),
    ("metadata", {"metadata": {"a": 1}}, "metadata.a"),
    ("conversation", {"metadata": {"conversation_id": "x" * 257}}, "metadata"),
    ("top_logprobs alone", {"top_logprobs": 3}, "top_logprobs"),
    ("21 top_logprobs", {"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ("tools", {"tools": [{"type": "function"}]}, "tools"),
    ("JSON mode", {"response_format": {"type": "json_object"}}, "response_format"),
    ("penalty", {"presence_penalty": 2.5}, "presence_penalty"),
    ("repetition", {"repetition_penalty": 0}, "repetition_penalty"),
    ("repetition that overflows", {"repetition_penalty": 1e-300}, "repetition_penalty"),
    ("top_k of 65 bits", {"top_k": 2**64}, "top_k"),
    ("min_p", {"min_p": 1.1}, "min_p"),
    ("top_k", {"top_k": -2}, "top_k"),
    ("min_tokens", {"min_tokens": 9, "max_tokens": 8}, "min_tokens"),
    ("a bias that is too strong", {"logit_bias": {"5": 101}}, "logit_bias"),
    ("a bias for a word", {"logit_bias": {"hi": 1}}, "logit_bias"),
    ("a bias for no token", {"logit_bias": {"999999": 1}}, "logit_bias"),
    ("a stop id of no token", {"stop_token_ids": [999999]}, "stop_token_ids"),
]


@pytest.mark.parametrize(
    ("fields", "param"), [row[1:] for row in BAD], ids=[row[0].replace(" ", "-") for row in BAD]
)
def test_bad_input_is_refused_by_name(server: Running, fields: dict[str, Any], param: str) -> None:
    """400 in OpenAI's shape, with the parameter's name in `param` and in the message."""
    content = json.dumps({**chat_body(), **fields}).encode()
    answer = server.http.post(
        "/v1/chat/completions", content=content, headers={"content-type": "application/json"}
    )
    check(answer.json(), "ErrorResponse")
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"].startswith(param)
    assert param in error["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b'"x"', b"[" * 50_000, b"\xff\xfe"])
def test_body_that_is_no_object_is_refused(server: Running, content: bytes) -> None:
    """400 in OpenAI's shape, whatever the bytes are."""
    answer = server.http.post(
        "/v1/chat/completions", content=content, headers={"content-type": "application/json"}
    )
    check(answer.json(), "ErrorResponse")
    assert answer.status_code == 400


def test_large_body_is_refused_before_it_is_read(server: Running) -> None:
    """More than 1 MiB: 413, whether its length is announced or not."""
    body = json.dumps(chat_body("x" * 2**20)).encode()
    headers = {"content-type": "application/json"}
    for content in (body, (part for part in (body[:100], body[100:]))):
        answer = server.http.post("/v1/chat/completions", content=content, headers=headers)
        check(answer.json(), "ErrorResponse")
        assert answer.status_code == 413


def test_unknown_fields_are_ignored(server: Running) -> None:
    """Clients send what other servers know."""
    assert server.chat(service_tier="auto", unheard_of={"x": 1}).status_code == 200


def test_nulls_are_defaults(server: Running) -> None:
    """OpenAI's clients may send null for whatever was not set."""
    nothing = dict.fromkeys(("n", "temperature", "top_p", "stop", "seed", "stream", "user"))
    assert server.chat(**nothing).status_code == 200


def test_overflow_uses_openais_sentence(server: Running) -> None:
    """The model's context is 256 tokens; clients look for this sentence and this code."""
    for text, bound in (("word " * 400, {}), ("Hi", {"max_tokens": 250})):
        answer = server.chat(text, **bound)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
        assert error["message"].startswith("This model's maximum context length is 256 tokens.")


def test_answer_may_fill_the_context(server: Running) -> None:
    """Without a bound of its own an answer ends where the context does: 256 tokens in all."""
    answer = server.chat(max_tokens=None, seed=1).json()
    assert answer["usage"]["total_tokens"] <= 256
    assert answer["choices"][0]["finish_reason"] in ("stop", "length")


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("gpt-4o", "model_not_found"),
        ("rankloop@latest", "model_not_found"),
        ("rankloop@v0/../../x", "model_not_found"),
        ("rankloop@v99", "version_not_resident"),
    ],
)
def test_unknown_models_are_404(server: Running, model: str, code: str) -> None:
    """Names of no model, and versions that there are not, streaming or not."""
    for streaming in (False, True):
        answer = server.chat(model=model, stream=streaming)
        check(answer.json(), "ErrorResponse")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


def test_every_answer_has_a_request_id(server: Running) -> None:
    """Good or bad, with a different one each time."""
    answers = [server.chat(), server.chat(n=0), server.http.get("/nowhere"), server.chat(n=0)]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 4


# Clients that leave


@pytest.mark.parametrize("streaming", [True, False])
def test_client_that_leaves_frees_its_rows(server: Running, streaming: bool) -> None:
    """Four rows decode 200 tokens each for nobody: within a second none does."""
    worker = server.serving.worker
    body = chat_body(n=4, max_tokens=200, stream=streaming, ignore_eos=True)
    patience = httpx.Timeout(60.0, read=60.0 if streaming else 0.01)
    request = server.http.build_request("POST", "/v1/chat/completions", json=body, timeout=patience)
    if streaming:
        response = server.http.send(request, stream=True)
        eventually(lambda: worker.rows > 0)
        response.close()
    else:
        with pytest.raises(httpx.ReadTimeout):
            server.http.send(request)
    eventually(lambda: worker.jobs == 0 and worker.rows == 0, within_s=1.0)
    resident = server.serving.residence.current
    assert resident is not None
    eventually(lambda: resident.readers == 0, within_s=1.0)
