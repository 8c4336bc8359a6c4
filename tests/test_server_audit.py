"""What of a request's body is looked into before it is acted on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.doors.audit import LONGEST, read_json

SCOPE = {"type": "http", "headers": [(b"content-type", b"application/json")]}


def read(*parts: bytes) -> tuple[dict[str, Any], list[bytes], list[bytes]]:
    """The fields that were found in a body of these parts, the parts that were taken for it, and
    all that the route then gets."""
    sent = [
        {"type": "http.request", "body": part, "more_body": place < len(parts)}
        for place, part in enumerate(parts, 1)
    ]

    async def run() -> tuple[dict[str, Any], list[bytes], list[bytes]]:
        taken: list[bytes] = []

        async def receive() -> Any:
            message = sent.pop(0)
            taken.append(message["body"])  # type: ignore[arg-type]
            return message

        fields, again = await read_json(SCOPE, receive)
        looked_at = list(taken)
        return fields, looked_at, [(await again())["body"] for _ in parts]

    return asyncio.run(run())


def test_a_body_is_read_and_given_again() -> None:
    """In two parts: its fields, and both parts for the route."""
    parts = (b'{"reason": ', b'"worse"}')
    assert read(*parts) == ({"reason": "worse"}, list(parts), list(parts))


@pytest.mark.parametrize("rest", [b"", b"x" * 10])
def test_a_long_body_is_passed_on_unread(rest: bytes) -> None:
    """Of a file nothing is kept but the part that made it too long; the route gets all of it."""
    parts = (b"x" * (LONGEST + 1), rest, rest)
    assert read(*parts) == ({}, [parts[0]], list(parts))
