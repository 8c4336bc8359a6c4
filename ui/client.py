"""The API over HTTP: one method per call that the pages make.

Knows no pages and keeps no state beside its connections. Every failure is one of two:
Unreachable (nobody answered) or Refused (the server said no, in its own words).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from ui.label_wire import Desk, NextTask, Verdict
from ui.wire import (
    Chunk,
    Consent,
    Learner,
    MetricPoint,
    Past,
    PastTurn,
    Ranked,
    Round,
    Version,
    Wire,
    Word,
)

W = TypeVar("W", bound=Wire)

CONNECT_S = 3.0
ANSWER_S = 30.0
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
    """Calls the API at `url`, with the key as bearer where one is set."""

    def __init__(self, url: str, key: SecretStr | None = None) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=headers,
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
                "POST", "/v1/chat/completions", json=body, timeout=timeout
            ) as response:
                if response.is_error:
                    await response.aread()
                    raise _refusal(response)
                async for chunk in _events(response):
                    yield chunk
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    async def rank(
        self,
        candidates: Sequence[str],
        ranks: Sequence[int | None],
        *,
        none_acceptable: bool,
        person: str | None,
        key: str,
    ) -> Ranked:
        """Record a ranking; the same `key` again changes nothing."""
        body: dict[str, Any] = {"candidates": list(candidates), "ranks": list(ranks)}
        if none_acceptable:
            body["none_acceptable"] = True
        body |= _by(person)
        headers = {"Idempotency-Key": key}
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

    async def label(self, verdict: Verdict, person: str | None) -> NextTask | None:
        """Record the ranking of an item; the next one if it was asked for. The same verdict with
        the same `key` again changes nothing.
        """
        body = verdict.model_dump(exclude={"key"}, exclude_none=True) | _by(person)
        # A null is an answer that was left unranked: it has to stay.
        body |= {"ranks": verdict.ranks, "ratings": verdict.ratings}
        headers = {"Idempotency-Key": verdict.key}
        answer = await self._call("POST", "/v1/rankings", body, headers)
        return NextTask.model_validate(answer["next"]) if verdict.next else None

    async def skip(self, task: str, reason: str, person: str | None) -> NextTask:
        """Say why an item is not ranked; the answer is the next one."""
        body = {"reason": reason, "next": True, **_by(person)}
        answer = await self._call("POST", f"/v1/tasks/{quote(task, safe='')}/skip", body)
        return NextTask.model_validate(answer["next"])

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

    async def promote(self, id: str, reason: str, person: str | None) -> Version:
        return await self._decide(f"{id}/promote", reason, person)

    async def reject(self, id: str, reason: str, person: str | None) -> Version:
        return await self._decide(f"{id}/reject", reason, person)

    async def roll_back(self, reason: str, person: str | None) -> Version:
        return await self._decide("rollback", reason, person)

    async def _decide(self, path: str, reason: str, person: str | None) -> Version:
        body = {"reason": reason, **_by(person)}
        answer = await self._call("POST", f"/v1/versions/{path}", body)
        return Version.model_validate(answer)

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> Any:
        try:
            response = await self._http.request(
                method, path, json=body, headers=headers, params=params
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
