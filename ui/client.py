"""The API over HTTP: one method per call that the pages make, as whoever looks at the page.

Knows no pages and keeps no state beside its connections, nor a key of its own. Every failure is one
of two: Unreachable (nobody answered) or Refused (the server said no, in its own words).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from ui import visitor
from ui.label_wire import Desk, NextTask, Ranked, Verdict
from ui.wire import (
    Chunk,
    Consent,
    Learner,
    MetricPoint,
    Past,
    PastTurn,
    Round,
    Version,
    Wire,
    Word,
)

W = TypeVar("W", bound=Wire)

CONNECT_S = 3.0
ANSWER_S = 30.0
# Many lines are stored one by one, and other writers come between.
STORED = httpx.Timeout(120.0, connect=CONNECT_S)
# A token may take this long when many people wait in the queue before us.
TOKEN_S = 120.0


class ApiError(Exception):
    """A call that brought no result; `str()` is a sentence for people."""


class Unreachable(ApiError):
    """Nobody answered at the API's address, or the connection broke."""


class Refused(ApiError):
    """The server answered with an error; `status` is the HTTP status, `code` OpenAI's, if any."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Message(BaseModel):
    """One message of a conversation, in OpenAI's shape."""

    role: str
    content: str


class Client:
    """Calls the API at `url`, with the visitor's session as bearer where they signed in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            # The server is on this machine or a named one; a proxy of the environment is neither.
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        n: int = 1,
        temperature: float = 1.0,
        person: str | None = None,
        conversation: str | None = None,
        model: str = "rankloop",
        learn: bool = True,
        max_tokens: int | None = None,
    ) -> AsyncIterator[Chunk]:
        """Stream `n` answers; a stream that ends without its end mark raises Unreachable.

        Without `learn` the prompt never becomes one to learn from.
        """
        body: dict[str, Any] = {
            "model": model,
            "messages": [message.model_dump() for message in messages],
            "n": n,
            "temperature": temperature,
            "stream": True,
        }
        body |= _by(person)
        if not learn:
            body["store"] = False
        if max_tokens is not None:
            body["max_tokens"] = max_tokens
        if conversation:
            body["metadata"] = {"conversation_id": conversation}
        timeout = httpx.Timeout(TOKEN_S, connect=CONNECT_S)
        try:
            async with self._http.stream(
                "POST", "/v1/chat/completions", json=_own(body), headers=_bearer(), timeout=timeout
            ) as response:
                if response.is_error:
                    await response.aread()
                    raise _refusal(response)
                async for chunk in _events(response):
                    yield chunk
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    async def rank(self, verdict: Verdict, person: str | None) -> Ranked:
        """Record a ranking; the same verdict with the same `key` again changes nothing."""
        body = verdict.model_dump(exclude={"key"}, exclude_none=True) | _by(person)
        # A null is an answer that was left unranked: it has to stay.
        body |= {"ranks": verdict.ranks, "ratings": verdict.ratings}
        headers = {"Idempotency-Key": verdict.key}
        return Ranked.model_validate(await self._call("POST", "/v1/rankings", body, headers))

    async def thumb(
        self, candidate: str, up: bool, *, person: str | None, comment: str | None = None
    ) -> None:
        """Record whether an answer is good, and why; a later thumb replaces it."""
        body = {"candidate": candidate, "up": up, **_by(person)}
        await self._call("POST", "/v1/thumbs", body | ({"comment": comment} if comment else {}))

    async def consent(self, person: str | None) -> Consent:
        """Whether the person allows that what they say is learned from."""
        return Consent.model_validate(await self._call("GET", "/v1/me/consent", params=_by(person)))

    async def say_consent(self, given: bool, version: str | None, person: str | None) -> Consent:
        """Allow it or not; `version` is of the text that the person read."""
        body = {"given": given, "version": version, **_by(person)}
        return Consent.model_validate(await self._call("PUT", "/v1/me/consent", body))

    async def conversations(self, person: str | None, limit: int) -> list[Past]:
        """The person's, the one that went on last first."""
        params = {"limit": str(limit), **_by(person)}
        return _list(Past, await self._call("GET", "/v1/conversations", params=params))

    async def conversation(self, id: str, person: str | None) -> list[PastTurn]:
        """One of them as a tree."""
        path = f"/v1/conversations/{quote(id, safe='')}"
        answer = await self._call("GET", path, params=_by(person))
        return [PastTurn.model_validate(turn) for turn in answer["turns"]]

    # Labelling

    async def desk(self, person: str | None) -> Desk:
        """What a person needs to label."""
        return Desk.model_validate(await self._call("GET", "/v1/tasks", params=_by(person)))

    async def next_task(self, person: str | None) -> NextTask:
        """The person's next item, if there is one."""
        answer = await self._call("GET", "/v1/tasks/next", params=_by(person))
        return NextTask.model_validate(answer)

    async def skip(self, task: str, reason: str, person: str | None) -> NextTask:
        """Say why an item is not ranked; the answer is the next one."""
        body = {"reason": reason, "next": True, **_by(person)}
        answer = await self._call("POST", f"/v1/tasks/{quote(task, safe='')}/skip", body)
        return NextTask.model_validate(answer["next"])

    async def renew_task(self, task: str, person: str | None) -> float:
        """Keep an item that the person is still at; for how many seconds more."""
        answer = await self._call("POST", f"/v1/tasks/{quote(task, safe='')}/renew", _by(person))
        return float(answer["expires_in_s"])

    async def demonstrate(
        self, messages: Sequence[Message], candidate: str | None, person: str | None, key: str
    ) -> int:
        """Record a conversation as it should be, in the candidate's place if there is one; how many
        wait to be learned from. The same `key` again changes nothing.
        """
        said = [message.model_dump() for message in messages]
        body: dict[str, Any] = {"messages": said, **_by(person)}
        body |= {"candidate": candidate} if candidate else {}
        answer = await self._call("POST", "/v1/demonstrations", body, {"Idempotency-Key": key})
        return int(answer["waiting"])

    async def words(self, candidate: str) -> list[Word]:
        """An answer's tokens."""
        return _list(Word, await self._call("GET", _tokens(candidate)))

    async def word(self, candidate: str, place: int) -> Word:
        """One of them, with what it was drawn from."""
        return Word.model_validate(await self._call("GET", f"{_tokens(candidate)}/{place}"))

    async def learner(self) -> Learner:
        return Learner.model_validate(await self._call("GET", "/v1/learner"))

    async def pause(self, person: str | None) -> None:
        await self._call("POST", "/v1/learner/pause", _by(person))

    async def resume(self, person: str | None) -> None:
        await self._call("POST", "/v1/learner/resume", _by(person))

    async def start_round(self, person: str | None) -> Round:
        body = {"stages": ["reward", "ppo"], **_by(person)}
        return Round.model_validate(await self._call("POST", "/v1/rounds", body))

    async def cancel_round(self, id: int, person: str | None) -> None:
        await self._call("POST", f"/v1/rounds/{id}/cancel", _by(person))

    async def rounds(self) -> list[Round]:
        """Newest first."""
        return _list(Round, await self._call("GET", "/v1/rounds"))

    async def metrics(self, round_id: int) -> list[MetricPoint]:
        return _list(MetricPoint, await self._call("GET", f"/v1/rounds/{round_id}/metrics"))

    async def versions(self, person: str | None = None) -> list[Version]:
        return _list(Version, await self._call("GET", "/v1/versions", params=_by(person)))

    # What other modules build their calls of

    async def get(
        self, path: str, params: dict[str, str] | None = None, *, token: str | None = None
    ) -> Any:
        """What a GET answers; with a `token`, by that session and not the visitor's."""
        return await self._call("GET", path, params=params, headers=_bearer(token))

    async def send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        token: str | None = None,
        address: str | None = None,
    ) -> Any:
        """The same with a body, of a browser at this `address`."""
        headers = _bearer(token) | ({"X-Forwarded-For": address} if address else {})
        return await self._call(method, path, body, headers)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """What a POST answers."""
        return await self._call("POST", path, body)

    async def send_lines(self, path: str, lines: bytes, params: dict[str, str]) -> Any:
        """What a POST of JSON lines answers."""
        headers = {"Content-Type": "application/x-ndjson"}
        return await self._call("POST", path, headers=headers, params=params, content=lines)

    async def stream(self, path: str, params: dict[str, str]) -> AsyncIterator[bytes]:
        """The body of a GET as it comes."""
        try:
            async with self._http.stream(
                "GET", path, params=_own(params), headers=_bearer()
            ) as response:
                if response.is_error:
                    await response.aread()
                    raise _refusal(response)
                async for piece in response.aiter_bytes():
                    yield piece
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> Any:
        try:
            response = await self._http.request(
                method,
                path,
                json=_own(body),
                headers=_bearer() | (headers or {}),
                params=_own(params),
                content=content,
                timeout=STORED if content else httpx.USE_CLIENT_DEFAULT,
            )
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _refusal(response)
        return response.json()

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(f"The server at {self.url} does not answer.")
        if isinstance(error, httpx.TimeoutException):
            return Unreachable(f"The server at {self.url} took too long to answer.")
        return Unreachable(f"The connection to the server at {self.url} broke.")


async def _events(response: httpx.Response) -> AsyncIterator[Chunk]:
    """The chunks of a server-sent stream up to `[DONE]`."""
    async for line in response.aiter_lines():
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        event = json.loads(data)
        if "error" in event:
            raise Refused(500, _sentence(event), None)
        yield Chunk.model_validate(event)
    # Without the end mark the answer may be cut anywhere.
    raise httpx.RemoteProtocolError("the stream ended without [DONE]")


def _tokens(candidate: str) -> str:
    """The id comes back from the browser: whatever it holds, it names no other route."""
    return f"/v1/candidates/{quote(candidate, safe='')}/tokens"


def _bearer(token: str | None = None) -> dict[str, str]:
    """By which session a call is made: this one, else the visitor's; by none where neither is."""
    token = token or visitor.current().token
    return {"Authorization": f"Bearer {token}"} if token else {}


def _own(said: dict[str, Any] | None) -> dict[str, Any] | None:
    """What is sent, less a name that the browser remembers from when nobody signed in: whoever does
    now speaks for themselves."""
    if said is None or visitor.current().owner:
        return said
    return {name: value for name, value in said.items() if name != "user"}


def _by(person: str | None) -> dict[str, str]:
    """Who acts; an empty name leaves it to the server, which knows the key's owner."""
    return {"user": person} if person else {}


def _list(kind: type[W], answer: Any) -> list[W]:
    return [kind.model_validate(item) for item in answer["data"]]


def _refusal(response: httpx.Response) -> Refused:
    try:
        body = response.json()
        return Refused(response.status_code, _sentence(body), body["error"].get("code"))
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        return Refused(response.status_code, f"The server answered {response.status_code}.")


def _sentence(body: Any) -> str:
    return str(body["error"]["message"])
