"""GET /v1/export and POST /v1/import: what people said, in the field's formats, a JSON line each;
POST /v1/import/format tells which of them a line is of.

A line that was exported is let go of, and so are those of a batch that was imported: neither way is
a file ever held whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from feedback.exchange.formats import FormatName
from feedback.exchange.guessing import guess
from feedback.exchange.lines import Lines, NumberedLine, parse, written
from feedback.exchange.report import ImportReport
from feedback.exchange.values import UnreadableLine
from feedback.exchange.writing import Line

from ..serving import Serving
from ..wire import Name
from .task_bodies import PromptBody

router = APIRouter()

FormatQuery = Annotated[FormatName, Query()]
User = Annotated[Name | None, Query()]

PROMPTS = "prompts"
"""What lines are that only ask: POST /v1/prompts takes them."""

JSON_LINES = "application/x-ndjson"
BATCH = 50
"""Lines stored in one transaction: other writers wait for it."""

EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {JSON_LINES: {"schema": {"type": "string"}}}, "description": "JSON lines."}
}
LINES = {"schema": {"type": "string", "format": "binary"}}
IMPORTED = {
    "requestBody": {
        "required": True,
        "content": dict.fromkeys((JSON_LINES, "application/octet-stream"), LINES),
    }
}


@router.get("/v1/export", response_class=StreamingResponse, responses=EXPORTED)
def export(request: Request, format: FormatQuery) -> StreamingResponse:
    """Streams what people said: all of it in our own format, in the others what a round would learn
    from."""
    serving: Serving = request.app.state.serving
    return streamed(serving.store.export(format), f"{format}.jsonl")


def streamed(lines: Iterable[Line], name: str) -> StreamingResponse:
    """Lines as a file of this name."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parcels(lines), media_type=JSON_LINES, headers=headers)


def parcels(lines: Iterable[Line]) -> Iterator[str]:
    """Many lines at a time: each parcel goes through a thread."""
    held: list[str] = []
    for line in lines:
        held.append(written(line))
        if len(held) == BATCH:
            yield "".join(held)
            held.clear()
    yield "".join(held)


@router.post("/v1/import", openapi_extra=IMPORTED)
async def bring(request: Request, format: FormatQuery, user: User = None) -> dict[str, Any]:
    """Stores the lines of the body that are new, as said by `user`. Lines that cannot be read are
    named, and the others stored."""
    serving: Serving = request.app.state.serving
    person, report = user or f"import:{format}", ImportReport()
    async for batch in batches(request):
        report += await run_in_threadpool(serving.store.import_lines, format, batch, person)
    return shown(report)


@router.post("/v1/import/format", openapi_extra=IMPORTED)
async def told_format(request: Request) -> dict[str, Any]:
    """Which format the body's first line is of, `prompts` for one that only asks, null where none
    fits. Nothing is stored."""
    lines = Lines()
    body = await request.body()
    found = next(chain(lines.feed(body), lines.finish()), None)
    return {"object": "import.format", "format": None if found is None else guessed(found)}


def guessed(line: NumberedLine) -> str | None:
    """The format of a line; None where it is of none, and where it is no JSON."""
    try:
        row = parse(line)
    except UnreadableLine:
        return None
    return guess(row) or (PROMPTS if asks(row) else None)


def asks(row: Mapping[str, Any]) -> bool:
    """Whether POST /v1/prompts takes the line."""
    try:
        PromptBody.model_validate(row)
    except ValidationError:
        return False
    return True


async def batches(request: Request) -> AsyncIterator[list[NumberedLine]]:
    """The body's lines as they come, so many at a time."""
    lines, held = Lines(), list[NumberedLine]()
    async for chunk in request.stream():
        held += lines.feed(chunk)
        while len(held) >= BATCH:
            yield held[:BATCH]
            del held[:BATCH]
    yield [*held, *lines.finish()]


def shown(report: ImportReport) -> dict[str, Any]:
    return {
        "object": "import",
        "lines": report.lines,
        "imported": report.imported,
        "known": report.known,
        "refused": report.refused,
        "reasons": [{"line": line.number, "reason": line.reason} for line in report.reasons],
    }
