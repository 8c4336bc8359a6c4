"""The application: routers, error mapping, access and bounds, and the life of what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from . import (
    compared,
    completions,
    conversations,
    demonstrations,
    errors,
    exchange,
    health,
    marks,
    me,
    metrics,
    models,
    odds,
    operations,
    prompts,
    rankings,
    raters,
    tasks,
)
from .access import Access, Bodies, RequestIds
from .ahead import Ahead
from .deadlines import Deadlines
from .serving import Serving
from .settings import Settings
from .worker import Worker


def create_app(settings: Settings, worker: Worker | None = None) -> FastAPI:
    """The server as an ASGI application. The model is loaded once it runs; /readyz says when.
    `worker`: decodes for it, if it was started already."""
    serving = Serving(settings, worker or Worker(settings.server))
    ahead = Ahead(serving)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await serving.start()
        ahead.start()
        yield
        ahead.stop()
        await serving.close()

    app = FastAPI(
        title="Rankloop",
        description="A chat model that learns from how people rank its answers.",
        lifespan=lifespan,
        middleware=[
            Middleware(RequestIds),
            Middleware(metrics.CountRequests, metrics=serving.metrics),
            Middleware(Access, key=serving.key),
            Middleware(Bodies),
            Middleware(Deadlines),
        ],
        responses=errors.documented(*errors.ANYWHERE),
        docs_url=None,
        redoc_url=None,
    )
    app.state.serving, app.state.ahead = serving, ahead
    app.openapi = partial(document, app)  # type: ignore[method-assign]
    errors.install(app)
    for part in (
        completions,
        models,
        rankings,
        marks,
        demonstrations,
        conversations,
        exchange,
        me,
        compared,  # before the versions by id, which it is none of
        prompts,
        tasks,
        operations,
        raters,
        odds,
        health,
        metrics,
    ):
        app.include_router(part.router)
    return app


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, less the framework's own 422: here an impossible request is a 400."""
    if app.openapi_schema is None:
        whole = FastAPI.openapi(app)
        for path in whole["paths"].values():
            for operation in path.values():
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]
    return app.openapi_schema or {}
