"""/metrics, for Prometheus: named after vLLM's where the meaning is the same, so that its
dashboards need only another prefix.

Counters count what clients were told: a request when its last frame has left, its tokens as its
usage says them. Gauges are read when they are asked for.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from .answers.generation import Generation
    from .serving import Serving

router = APIRouter()

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Counters, histograms and gauges in Prometheus' text format."""
    serving: Serving = request.app.state.serving
    return Response(generate_latest(serving.metrics.registry), media_type=CONTENT_TYPE_LATEST)


class Metrics:
    """One server's figures, in a registry of their own."""

    def __init__(self, serving: Serving) -> None:
        self.registry = registry = CollectorRegistry()
        self.http = Counter(
            "rankloop_http_requests",
            "Answered requests by route, method and status; 499 is a client that left.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.success = Counter(
            "rankloop_request_success",
            "Choices that came to their end, by why they ended.",
            ["finished_reason"],
            registry=registry,
        )
        self.prompt_tokens = Counter(
            "rankloop_prompt_tokens", "Prompt tokens of answered requests.", registry=registry
        )
        self.generation_tokens = Counter(
            "rankloop_generation_tokens", "Tokens of answered requests.", registry=registry
        )
        self.first_token = Histogram(
            "rankloop_time_to_first_token_seconds",
            "From a request's arrival to its first token.",
            buckets=SECONDS,
            registry=registry,
        )
        self.whole = Histogram(
            "rankloop_e2e_request_latency_seconds",
            "From a request's arrival to its last token.",
            buckets=SECONDS,
            registry=registry,
        )
        self._gauges(serving)

    def _gauges(self, serving: Serving) -> None:
        """What is so at the moment."""
        gauges = {
            "rankloop_num_requests_running": ("Requests that have rows.", "jobs_running"),
            "rankloop_num_requests_waiting": ("Requests that wait for rows.", "jobs_waiting"),
            "rankloop_num_rows_running": ("Answers being written.", "rows"),
            "rankloop_kv_cache_usage_perc": (
                "Share of the attention cache that running answers may come to need (1 is all).",
                "cache_used",
            ),
        }
        for name, (meaning, attribute) in gauges.items():
            gauge = Gauge(name, meaning, registry=self.registry)
            gauge.set_function(partial(getattr, serving.worker, attribute))
        requests = Gauge(
            "rankloop_num_requests_in_flight",
            "Requests for answers that are not over yet.",
            registry=self.registry,
        )
        requests.set_function(lambda: serving.in_flight)

    def answered(self, generation: Generation) -> None:
        """Every choice of a request is written and stored."""
        for choice in generation.choices:
            self.success.labels(choice.finish).inc()
        self.prompt_tokens.inc(generation.prompt_tokens)
        self.generation_tokens.inc(generation.completion_tokens)
        self.whole.observe(time.time() - generation.created_at)


class CountRequests:
    """Counts answers by their route's template: a path from outside never becomes a label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status: int | None = None

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, counted)
        except Exception:
            status = status or 500  # which is answered from outside of here
            raise
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            self.metrics.http.labels(route, scope["method"], str(status or 499)).inc()
