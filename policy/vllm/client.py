"""One vLLM engine over HTTP: what it serves, adapters in and out, and tokens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from policy.requests import Scores

from .wire import Asked, BrokenStream, Drawn, body, drawn, scores, scoring_body

GENERATE = "/inference/v1/generate"
CARD_S = 10.0
"""An engine that says for so long not even what it serves is down."""
LOAD_S = 300.0
CONNECT_S = 5.0
LINE = 2**22
"""Bytes of a stream's longest line: a token with its likeliest, or all tokens of a long answer."""
DATA, DONE = b"data: ", b"[DONE]"


class EngineDown(Exception):
    """The engine does not answer, or broke off; another one may do better."""


class Refused(Exception):
    """The engine will not do what it was asked, and would not at the next try."""


class NoSuchModel(Exception):
    """The engine has no version of that name: it was started anew, or has let it go."""


@dataclass(frozen=True)
class Card:
    """What an engine serves: its model by name and folder (or hub id), the positions of a prompt
    with its answer, and adapters, folder by name."""

    name: str
    root: str
    context: int
    adapters: dict[str, str]

    def serves(self, folder: Path) -> bool:
        """Whether its model is that folder's. A hub model may go by its id there; its cached folder
        is named after it."""
        cached = f"models--{self.root.replace('/', '--')}"
        return Path(self.root).resolve() == folder.resolve() or cached in folder.parts


def session() -> aiohttp.ClientSession:
    """Connections to engines, as many as are wanted; an answer may take as long as it takes."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
    connector = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(timeout=timeout, connector=connector, read_bufsize=LINE)


class Engine:
    """The engine at an address. Raises EngineDown, and where it says no, Refused or NoSuchModel."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http
        self._open: set[aiohttp.ClientResponse] = set()

    async def card(self) -> Card:
        async with self._asked("GET", "/v1/models", timeout_s=CARD_S) as answer:
            models = (await answer.json())["data"]
        first = models[0]
        adapters = {one["id"]: one["root"] for one in models if one.get("parent")}
        return Card(first["id"], first["root"], first["max_model_len"], adapters)

    async def load(self, name: str, folder: Path) -> None:
        """Brings an adapter there, under a name that no other one has had."""
        content = {"lora_name": name, "lora_path": str(folder)}
        async with self._asked("POST", "/v1/load_lora_adapter", content, LOAD_S):
            pass

    async def unload(self, name: str) -> None:
        content = {"lora_name": name}
        async with self._asked("POST", "/v1/unload_lora_adapter", content, CARD_S):
            pass

    async def draw(self, asked: Asked) -> AsyncGenerator[list[Drawn]]:
        """The answers' tokens as they are drawn; the engine stops when nobody listens any more."""
        async with self._asked("POST", GENERATE, body(asked, stream=True)) as answer:
            ended = False
            async for line in answer.content:
                if not line.startswith(DATA):
                    continue
                content = line[len(DATA) :].strip()
                if content == DONE:
                    ended = True
                    break
                yield self._read(content)
        if not ended:
            raise EngineDown(f"{self.url} broke off an answer")

    def _read(self, content: bytes) -> list[Drawn]:
        try:
            return list(drawn(orjson.loads(content)))
        except (BrokenStream, ValueError) as error:
            raise EngineDown(f"{self.url} wrote no tokens: {error}") from error

    async def score(self, model: str, tokens: Sequence[int], top: int) -> Scores:
        """The tokens' raw log-probabilities, the first one's left out, and the likeliest."""
        async with self._asked("POST", GENERATE, scoring_body(model, tokens, top)) as answer:
            return scores(await answer.json(), tokens, top)

    def sever(self) -> None:
        """Breaks off what is being read from it: each reader finds the engine down."""
        for answer in list(self._open):
            answer.close()

    @asynccontextmanager
    async def _asked(
        self, method: str, path: str, content: Any = None, timeout_s: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_S)
        try:
            async with self._http.request(
                method, self.url + path, json=content, timeout=timeout
            ) as answer:
                if answer.status >= 400:
                    raise _refusal(self.url, answer.status, await answer.text())
                self._open.add(answer)
                try:
                    yield answer
                finally:
                    self._open.discard(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            said = str(error) or type(error).__name__
            raise EngineDown(f"{self.url} does not answer: {said}") from error


def _refusal(url: str, status: int, text: str) -> Exception:
    """vLLM's errors are OpenAI's shape; a proxy's may be anything."""
    try:
        message = str(orjson.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = text[:300]
    said = f"{url} says {status}: {message}"
    if status == 404:
        return NoSuchModel(said)
    return EngineDown(said) if status >= 500 or status in (408, 429) else Refused(said)
