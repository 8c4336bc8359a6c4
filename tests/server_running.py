"""A real server on a free port, in a thread of the test's process, with a tiny model and a real
SQLite file."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import torch
import uvicorn

from feedback.store import Store
from policy.model import Model
from policy.versions import Versions
from rankloop import Settings
from server.app import create_app
from server.run import config_of, without_delay
from server.serving import Serving
from server.settings import ServerSettings

WAIT_S = 180.0


@dataclass
class Running:
    """A server that answers. `store` and `versions` are its own, as the learner would use them."""

    url: str
    http: httpx.Client
    serving: Serving
    store: Store
    versions: Versions

    def chat(self, text: str = "Hello!", /, **fields: Any) -> httpx.Response:
        return self.http.post("/v1/chat/completions", json=chat_body(text, **fields))

    def publish(self, change: float, seed: int = 0) -> str:
        """A new verified version: v0's weights with noise of this size added."""
        model = self.versions.load("v0")
        disturb(model, change, seed)
        id = self.store.next_id("v")
        manifest = self.versions.publish(id, model, kind="full", parent="v0", round=None)
        self.store.register_version(id, digest=manifest.digest, parent="v0", kind="full")
        self.store.verify(id, actor="test", reason="published by a test")
        return id

    def promote(self, id: str) -> None:
        """Over HTTP, as an operator would; returns when the version answers."""
        answer = self.http.post(f"/v1/versions/{id}/promote", json={"reason": "a test wants it"})
        assert answer.status_code == 200, answer.text
        eventually(lambda: self.serving.current_id == id)


def chat_body(text: str = "Hello!", /, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "rankloop", "messages": messages, "max_tokens": 16, **fields}


def disturb(model: Model, change: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.add_(change * torch.randn(weight.shape, generator=generator))


def eventually(done: Callable[[], bool], within_s: float = WAIT_S) -> None:
    """Waits until it is so; fails the test if it takes too long."""
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline, f"not so within {within_s} s"
        time.sleep(0.02)


def settings_for(data: Path, model: Path, **server: Any) -> Settings:
    return Settings(data=data, model=str(model), server=ServerSettings(port=0, **server))


@contextmanager
def running(settings: Settings, start_s: float = WAIT_S) -> Iterator[Running]:
    """Serves until the block ends; its first version may take so long to answer."""
    app = create_app(settings)
    config = config_of(app, settings.server)
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    with without_delay(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            key = settings.key.get_secret_value() if settings.key else None
            headers = {"authorization": f"Bearer {key}"} if key else {}
            with httpx.Client(base_url=url, timeout=WAIT_S, headers=headers) as http:
                eventually(lambda: answers_ready(http), start_s)
                serving: Serving = app.state.serving
                versions = Versions(settings.data / "versions")
                yield Running(url, http, serving, serving.store, versions)
        finally:
            server.should_exit = True
            thread.join(WAIT_S)


def answers_ready(http: httpx.Client) -> bool:
    try:
        answer = http.get("/readyz")
    except httpx.TransportError:
        return False
    assert answer.status_code in (200, 503), answer.text
    return answer.status_code == 200
