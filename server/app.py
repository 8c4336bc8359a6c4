"""The application: routers, error mapping, access and bounds, and the life of what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from . import errors, health, metrics
from .answers import completions, models, odds
from .deadlines import Deadlines
from .decode.sampler import Sampler
from .decode.samplers import sampler_of
from .doors import audit, limits, sign_in
from .doors.access import Access, Bodies
from .doors.keyring import Keyring
from .doors.oidc import provider_of
from .doors.passwords import Passwords
from .operate import (
    alarms,
    canaries,
    candidates,
    compared,
    learner,
    progress,
    raters,
    rounds,
    versions,
)
from .operate.trial import TrialWatch
from .request_ids import RequestIds
from .said import (
    battles,
    conversations,
    demonstrations,
    exchange,
    marks,
    me,
    prompts,
    rankings,
    tasks,
)
from .said.ahead import Ahead
from .said.forgetting import forgetting
from .serving import Serving
from .settings import Settings


def create_app(settings: Settings, worker: Sampler | None = None) -> FastAPI:
    """The server as an ASGI application. The model is loaded once it runs; /readyz says when.
    `worker`: decodes for it, if it was started already."""
    serving = Serving(settings, worker or sampler_of(settings))
    serving.metrics.registry.register(alarms.Alarms(serving))
    ahead, trial = Ahead(serving), TrialWatch(serving)
    limiter, keyring = limits.Limiter(serving), Keyring(serving)
    desk = sign_in.Desk(serving, limiter, Passwords(), provider_of(settings.server.oidc))
    routes: list[BaseRoute] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await serving.start()
        ahead.start()
        trial.start()
        async with forgetting(serving):
            yield
        trial.stop()
        ahead.stop()
        await serving.close()

    app = FastAPI(
        title="Rankloop",
        description="A chat model that learns from how people rank its answers.",
        lifespan=lifespan,
        middleware=[
            Middleware(RequestIds),
            Middleware(metrics.CountRequests, metrics=serving.metrics),
            Middleware(limits.PerAddress, limiter=limiter),
            Middleware(Access, keyring=keyring, routes=routes),
            Middleware(Bodies),
            Middleware(Deadlines),
            Middleware(limits.PerPerson, limiter=limiter),
            Middleware(audit.Audited, serving=serving),
        ],
        responses=errors.documented(*errors.ANYWHERE),
        docs_url=None,
        redoc_url=None,
    )
    app.state.serving, app.state.ahead = serving, ahead
    app.state.keyring, app.state.sign_in = keyring, desk
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
        sign_in,
        me,
        compared,  # before the versions by id, which it is none of
        prompts,
        tasks,
        learner,
        alarms,
        rounds,
        canaries,
        battles,
        progress,
        versions,
        candidates,
        raters,
        odds,
        health,
        metrics,
        audit,
    ):
        app.include_router(part.router)
        routes.extend(part.router.routes)
    routes.extend(route for route in app.routes if isinstance(route, Route))
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
