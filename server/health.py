"""/livez: alive. /readyz, also /health: model loaded, database writable, decode moving; a busy
engine is not a dead one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, Response

from .errors import ApiError
from .serving import Serving

router = APIRouter()


@dataclass(frozen=True)
class Check:
    """One thing that must be so, and what is known of it."""

    ok: bool
    detail: str


@router.get("/livez")
async def livez() -> dict[str, Any]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/health", responses={503: {"description": "Not ready, and why."}})
@router.get("/readyz", responses={503: {"description": "Not ready, and why."}})
def readyz(request: Request) -> Response:
    """200 when requests can be answered; else 503, and either way what each check found. vLLM's
    clients ask for it as /health."""
    serving: Serving = request.app.state.serving
    checks = {"model": model(serving), "database": database(serving), "decode": decode(serving)}
    ready = not serving.draining and all(check.ok for check in checks.values())
    body = {
        "status": "ready" if ready else "draining" if serving.draining else "not_ready",
        "version": serving.current_id,
        "problems": serving.problems,
        "checks": {
            name: {"ok": check.ok, "detail": check.detail} for name, check in checks.items()
        },
    }
    return JSONResponse(body, 200 if ready else 503, {} if ready else {"retry-after": "1"})


def model(serving: Serving) -> Check:
    if serving.problem is not None:
        return Check(False, serving.problem)
    if serving.current_id is None:
        return Check(False, "the model is being loaded")
    return Check(True, f"{serving.current_id} answers")


def database(serving: Serving) -> Check:
    try:
        serving.store.check_writable()
    except ApiError as error:
        return Check(False, error.message)
    except SQLAlchemyError:
        return Check(False, "the database cannot be written to")
    if serving.settings.database.resolve(serving.settings.data).startswith("sqlite"):
        return room(shutil.disk_usage(serving.settings.data).free)
    return Check(True, "the database can be written to")


LEAST_ROOM = 2**20
"""Bytes. A transaction that changes nothing, which is what a probe may do, fits on a full disk too;
with less than this the next answer may not."""


def room(free: int) -> Check:
    """Of a database that is a file, by the bytes that are left on its disk."""
    if free < LEAST_ROOM:
        return Check(False, f"the database's disk is full: {free} bytes are free")
    return Check(True, "the database can be written to")


def decode(serving: Serving) -> Check:
    worker = serving.worker
    if worker.trouble is not None:
        return Check(False, worker.trouble)
    if worker.stalled_s > serving.stalled_after_s:
        return Check(False, f"no decode step has ended for {worker.stalled_s:.0f} s")
    return Check(True, f"{worker.jobs} requests in {worker.rows} rows")
