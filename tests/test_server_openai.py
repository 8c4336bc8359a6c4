"""OpenAI's own Python client against a running server, unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny

HELLO: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Hello!"}]


class Fields(TypedDict):
    """A request's fields, for two ways of asking."""

    model: str
    messages: list[ChatCompletionUserMessageParam]
    seed: int
    stop: list[str]
    max_tokens: int


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("openai")
    settings = settings_for(folder / "data", make_tiny(folder / "model"), aliases=("gpt-4o-mini",))
    with running(settings) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_answer(client: openai.OpenAI) -> None:
    """Choices, usage and our own field, which the client passes on."""
    answer = client.chat.completions.create(
        model="rankloop", messages=HELLO, n=2, max_completion_tokens=8, seed=1
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 16
    assert answer.model_extra is not None
    assert answer.model_extra["rankloop"]["version"] == "v0"


def test_stream_adds_up_to_the_answer(client: openai.OpenAI) -> None:
    """The client's own accumulation of a stream is the answer of the same seed."""
    fields = Fields(model="rankloop", messages=HELLO, seed=2, stop=["a", "e", "o"], max_tokens=99)
    whole = client.chat.completions.create(**fields)
    with client.chat.completions.stream(**fields) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.content == whole.choices[0].message.content
    assert final.choices[0].finish_reason == whole.choices[0].finish_reason == "stop"


def test_async_stream_with_usage(server: Running) -> None:
    """Three streams at a time; the last chunk of each has the usage."""

    async def last_usage(client: openai.AsyncOpenAI) -> int:
        stream = await client.chat.completions.create(
            model="rankloop",
            messages=HELLO,
            max_tokens=6,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage is not None
        return chunks[-1].usage.completion_tokens

    async def three() -> list[int]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            return await asyncio.gather(*(last_usage(client) for _ in range(3)))

    assert all(1 <= tokens <= 6 for tokens in asyncio.run(three()))


def test_plain_completion(client: openai.OpenAI) -> None:
    """A text continued, whole and as a stream."""
    fields: dict[str, Any] = {"model": "rankloop", "prompt": "Hello", "seed": 3, "max_tokens": 9}
    whole = client.completions.create(**fields, logprobs=2)
    assert whole.choices[0].logprobs is not None
    assert len(whole.choices[0].logprobs.token_logprobs or []) >= 1
    chunks = list(client.completions.create(**fields, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text


def test_models(client: openai.OpenAI) -> None:
    """Listed and retrieved; an alias is another name for the live one."""
    assert next(iter(client.models.list())).id == "rankloop"
    assert client.models.retrieve("rankloop@v0").owned_by == "rankloop"
    assert client.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, max_tokens=4)
    assert answer.model == "gpt-4o-mini"


def test_errors_have_openais_types(client: openai.OpenAI) -> None:
    """A bad parameter and an unknown model raise what the client's users catch."""
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="rankloop", messages=HELLO, temperature=9)
    assert (bad.value.param, bad.value.code) == ("temperature", "invalid_value")
    assert bad.value.request_id is not None
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert missing.value.code == "model_not_found"


def test_fault_in_a_stream_is_an_error_for_the_client(
    server: Running, client: openai.OpenAI
) -> None:
    """The worker ends every job in the middle of a stream: the client raises instead of ending."""
    stream = client.chat.completions.create(
        model="rankloop", messages=HELLO, max_tokens=200, n=8, stream=True
    )
    chunks = iter(stream)
    next(chunks)
    server.serving.worker.fail_all("The server is shutting down.")
    with pytest.raises(openai.APIError, match="shutting down"):
        list(chunks)
