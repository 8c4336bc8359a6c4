"""The application: routers, error mapping, access and bounds, and the life of what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from . import completions, errors, health, metrics, models, odds, operations, rankings
from .access import Access, BodyLimit, RequestIds
from .deadlines import Deadlines
from .serving import Serving
from .settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The server as an ASGI application. The model is loaded once it runs; /readyz says when."""
    serving = Serving(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        serving.start()
        yield
        await serving.close()

    app = FastAPI(
        title="Rankloop",
        description="A chat model that learns from how people rank its answers.",
        lifespan=lifespan,
        middleware=[
            Middleware(RequestIds),
            Middleware(metrics.CountRequests, metrics=serving.metrics),
            Middleware(Access, key=serving.key),
            Middleware(BodyLimit),
            Middleware(Deadlines),
        ],
        responses=errors.RESPONSES,
        docs_url=None,
        redoc_url=None,
    )
    app.state.serving = serving
    errors.install(app)
    for part in (completions, models, rankings, operations, odds, health, metrics):
        app.include_router(part.router)
    return app
