"""The server from its socket to its exit code.

The socket listens before the model is there, so that whoever asks early is told to wait.

On SIGTERM running answers have a grace time; then the process exits with 0. It exits with 1 when it
cannot serve any more and had better be started anew, with 2 when the settings must change first.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys

import uvicorn
from fastapi import FastAPI

import rankloop_logs
from feedback.store import Store

from . import request_ids
from .app import create_app
from .deadlines import KEEP_ALIVE_S, Protocol
from .decode.sampler import Sampler
from .doors import access
from .serving import Serving
from .settings import ServerSettings, Settings

log = logging.getLogger(__name__)

PLAIN = "%(asctime)s %(name)s: %(message)s"

# What is left after the grace time for error frames to leave.
LAST_FRAMES_S = 1.0


class Server(uvicorn.Server):
    """uvicorn, telling the application at once that it must come to an end."""

    def __init__(self, config: uvicorn.Config, serving: Serving, grace_s: float) -> None:
        super().__init__(config)
        self._serving = serving
        self._grace_s = grace_s
        serving.failed = self._end

    def _end(self, _problem: str) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._serving.drain(self._grace_s)
        await super().shutdown(sockets)


def serve(settings: Settings, worker: Sampler) -> None:
    """Serves until told to stop, and ends the process."""
    section = settings.server
    access.check_binding(section.host, settings.key, lambda: anybody(settings))
    rankloop_logs.begin(settings.log.format, "server", PLAIN, request_ids.current)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    app = create_app(settings, worker)
    serving: Serving = app.state.serving
    config = config_of(app, section)
    server = Server(config, serving, section.grace_s)
    _end(serving, _run(server))


def anybody(settings: Settings) -> bool:
    """Whether somebody has a key of their own, or may sign in."""
    if settings.server.oidc.issuer is not None:
        return True
    store = Store.open(settings.database.resolve(settings.data))
    try:
        return store.any_key()
    finally:
        store.close()


def config_of(app: FastAPI, section: ServerSettings) -> uvicorn.Config:
    """How uvicorn serves it."""
    return uvicorn.Config(
        app,
        host=section.host,
        port=section.port,
        access_log=False,
        server_header=False,
        log_config=None,
        http=Protocol,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(section.grace_s + LAST_FRAMES_S),
    )


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def _run(server: Server) -> int:
    """uvicorn raises the signal again that ended it, for `_leave`; and exits by itself when it
    cannot bind."""
    try:
        # Bound before anything is built: an address in use is known at once.
        server.run([without_delay(server.config.bind_socket())])
    except SystemExit as end:
        if end.code:
            log.error("cannot listen on %s:%d", server.config.host, server.config.port)
        return 1 if end.code else 0
    return 0


def without_delay(listener: socket.socket) -> socket.socket:
    """Lets small frames leave at once: asyncio sees to that only on sockets that it made itself,
    and Nagle's algorithm against delayed acknowledgement costs a stream's first token 40 ms."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _end(serving: Serving, code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if serving.problem is not None:
        code = 2 if serving.misconfigured else 1
    if not serving.ended:
        # A thread in the middle of native code would abort an ordinary exit.
        os._exit(code)
    sys.exit(code)
