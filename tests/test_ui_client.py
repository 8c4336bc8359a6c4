"""The API's client against a hand-written server at the edge of the process."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from ui import visitor
from ui.client import Client, Message, Refused, Unreachable, _tokens
from ui.label_wire import Verdict
from ui.streams import Answers
from ui.visitor import LOCAL, NOBODY, Visitor

T = TypeVar("T")
HELLO = [Message(role="user", content="Hello")]
REFUSAL = {
    "error": {"message": "No such candidate: c-9.", "type": "x", "param": None, "code": "gone"}
}


def event(index: int, text: str | None, finish: str | None = None, **more: Any) -> str:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice], **more})}\n\n"


NAMED: dict[str, Any] = {
    "rankloop": {"version": "v3", "completion_id": "c", "candidates": ["c-0", "c-1"]}
}
COMPLETE = [
    event(0, "Hi", **NAMED),
    event(1, "Good"),
    event(1, " day", "stop"),
    event(0, "!", "stop"),
    "data: [DONE]\n\n",
]


class Edge:
    """A server that answers as told and remembers what it was asked."""

    def __init__(self) -> None:
        self.frames = COMPLETE
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.app = FastAPI()
        self.app.post("/v1/chat/completions")(self.chat)
        self.app.post("/v1/rankings")(self.rank)
        self.app.get("/v1/learner")(self.learner)

    async def chat(self, request: Request) -> Response:
        self.asked.append((dict(request.headers), await request.json()))
        return PlainTextResponse("".join(self.frames), media_type="text/event-stream")

    async def rank(self, request: Request) -> Response:
        self.asked.append((dict(request.headers), await request.json()))
        return JSONResponse(REFUSAL, 404)

    async def learner(self) -> Response:
        return PlainTextResponse("<html>a proxy's page</html>", 502)


@pytest.fixture
def edge() -> Iterator[tuple[Edge, str]]:
    made = Edge()
    server = uvicorn.Server(uvicorn.Config(made.app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield made, f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def calling(url: str, act: Callable[[Client], Awaitable[T]], who: Visitor = LOCAL) -> T:
    """Run one call with a client of its own, for that visitor."""

    async def run() -> T:
        visitor.CURRENT.set(who)
        client = Client(url)
        try:
            return await act(client)
        finally:
            await client.close()

    return asyncio.run(run())


async def both(client: Client) -> Answers:
    answers = Answers(client.chat(HELLO, n=2, person="mia", conversation="k"), 2)
    async for _ in answers.frames():
        pass
    return answers


def test_several_answers_come_out_of_one_stream(edge: tuple[Edge, str]) -> None:
    """Interleaved pieces join by their index, with their candidate and version."""
    answers = calling(edge[1], both).answers
    assert [(a.candidate, a.version, a.text, a.done) for a in answers] == [
        ("c-0", "v3", "Hi!", True),
        ("c-1", "v3", "Good day", True),
    ]


def test_the_person_and_the_conversation_are_sent(edge: tuple[Edge, str]) -> None:
    """Without keys the person is OpenAI's `user`; the conversation is in the metadata."""
    calling(edge[1], both)
    body = edge[0].asked[0][1]
    assert (body["user"], body["metadata"]) == ("mia", {"conversation_id": "k"})


def test_whoever_signed_in_speaks_for_themselves(edge: tuple[Edge, str]) -> None:
    """By their session, and under no name that the browser remembers; the owner may name one."""
    for owner, named in ((False, None), (True, "mia")):
        calling(edge[1], both, Visitor("ada", owner, token="rs_1"))
        headers, body = edge[0].asked[-1]
        assert headers["authorization"] == "Bearer rs_1"
        assert body.get("user") == named


def test_nobody_calls_without_a_key(edge: tuple[Edge, str]) -> None:
    """What is found to be nobody's event goes out bare, and is the server's to refuse."""
    calling(edge[1], both, NOBODY)
    assert "authorization" not in edge[0].asked[-1][0]


def test_a_stream_without_its_end_is_no_answer(edge: tuple[Edge, str]) -> None:
    """A stream that just ends may have been cut anywhere."""
    edge[0].frames = COMPLETE[:-1]
    with pytest.raises(Unreachable, match="broke"):
        calling(edge[1], both)


def test_an_error_in_the_stream_is_said_in_its_words(edge: tuple[Edge, str]) -> None:
    """The server can fail after it has begun to answer."""
    edge[0].frames = [*COMPLETE[:2], 'data: {"error": {"message": "The model is gone."}}\n\n']
    with pytest.raises(Refused, match="The model is gone"):
        calling(edge[1], both)


def test_a_refusal_is_said_in_the_servers_words(edge: tuple[Edge, str]) -> None:
    """The message and the code of OpenAI's error shape arrive."""

    async def rank(client: Client) -> object:
        return await client.rank(Verdict(candidates=["c-9"], ranks=[1], key="k1"), person=None)

    with pytest.raises(Refused, match="No such candidate: c-9") as raised:
        calling(edge[1], rank)
    assert (raised.value.status, raised.value.code) == (404, "gone")
    assert edge[0].asked[0][0]["idempotency-key"] == "k1"


def test_an_answer_that_is_not_ours_is_refused_by_its_status(edge: tuple[Edge, str]) -> None:
    """A proxy's error page has no sentence of the server's."""
    with pytest.raises(Refused, match="The server answered 502"):
        calling(edge[1], lambda client: client.learner())


def test_nobody_there_is_said_with_the_address() -> None:
    """People need to know which address to look at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(Unreachable, match=f"The server at {url} does not answer"):
        calling(url, lambda client: client.learner())


def test_stopping_leaves_what_has_come(edge: tuple[Edge, str]) -> None:
    """A stream that is stopped ends without an error and closes its connection."""

    async def stopped(client: Client) -> Answers:
        async def endless() -> Any:
            async for chunk in client.chat(HELLO, n=2):
                yield chunk
            await asyncio.Event().wait()

        answers = Answers(endless(), 2)
        async for _ in answers.frames():
            answers.stop()
        return answers

    answers = calling(edge[1], stopped)
    assert answers.stopped
    assert answers.answers[0].text == "Hi!"


def test_an_id_from_the_browser_names_no_other_route() -> None:
    """Slashes and question marks are part of the id, whatever they were meant to be."""
    assert _tokens("a/../b?c#d") == "/v1/candidates/a%2F..%2Fb%3Fc%23d/tokens"
