"""A stand-in for vLLM's HTTP API that breaks where a test wants it to. What it draws is nothing but
token 40 at log-probability -1, raw -2; what real engines draw is tried in tests/vllm. As a process:
`python -m tests.fake_vllm FOLDER PORT`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from policy.vllm.wire import salt

TOKEN, LOGP, RAW = 40, -1.0, -2.0


class FakeEngine:
    """`refusal`: why it loads no adapter whose name begins as `refused` does; `broken_after`:
    tokens after which it breaks off; `down`: it breaks off at once; `raw`: it tells the raw
    log-probabilities. `asked`: the names that tokens were asked of, in order.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.adapters: dict[str, str] = {}
        self.asked: list[str] = []
        self.broken_after: int | None = None
        self.down = False
        self.raw = False
        self.refusal: str | None = None
        self.refused = ""
        self.url = ""

    def restart(self) -> None:
        """As a process that has just started: without adapters."""
        self.adapters = {}

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._may_be_down])
        app.add_routes(
            [
                web.get("/v1/models", self._models),
                web.post("/v1/load_lora_adapter", self._load),
                web.post("/v1/unload_lora_adapter", self._unload),
                web.post("/inference/v1/generate", self._generate),
            ]
        )
        return app

    @web.middleware
    async def _may_be_down(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.down:
            assert request.transport is not None, "somebody asks"
            request.transport.abort()
        response: web.StreamResponse = await handler(request)
        return response

    async def _models(self, _request: web.Request) -> web.Response:
        base = {"id": "base", "root": str(self.root), "max_model_len": 256, "parent": None}
        over = [{"id": id, "root": at, "parent": "base"} for id, at in self.adapters.items()]
        return web.json_response({"data": [base, *over]})

    async def _load(self, request: web.Request) -> web.Response:
        said = await request.json()
        if self.refusal is not None and said["lora_name"].startswith(self.refused):
            return refusal(400, self.refusal)
        if said["lora_name"] in self.adapters:
            return refusal(400, "already loaded")
        self.adapters[said["lora_name"]] = said["lora_path"]
        return web.Response()

    async def _unload(self, request: web.Request) -> web.Response:
        self.adapters.pop((await request.json())["lora_name"])
        return web.Response()

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        said = await request.json()
        if said["model"] not in ("base", *self.adapters):
            return refusal(404, f"The model `{said['model']}` does not exist.")
        if not said.get("stream"):
            scored = [{str(id): {"logprob": RAW}} for id in said["token_ids"]]
            return web.json_response({"prompt_logprobs": [None, *scored[1:]]})
        if said["cache_salt"] != salt("try"):
            self.asked.append(said["model"])
        return await self._stream(request, said["sampling_params"])

    async def _stream(self, request: web.Request, params: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for place in range(params["max_tokens"]):
            if self.broken_after == place and self.asked:
                await asyncio.sleep(0.05)  # what was written arrives
                assert request.transport is not None, "somebody asks"
                request.transport.abort()
                return response
            end = "length" if place + 1 == params["max_tokens"] else None
            logp = RAW if self.raw else LOGP
            choices = [choice(index, logp, end) for index in range(params["n"])]
            await response.write(b"data: %b\n\n" % json.dumps({"choices": choices}).encode())
        await response.write(b"data: [DONE]\n\n")
        return response


def choice(index: int, logp: float, finish: str | None) -> dict[str, Any]:
    one = {"token_id": TOKEN, "logprob": logp}
    logprobs = {"content": [{**one, "top_logprobs": [one]}]}
    return {"index": index, "finish_reason": finish, "token_ids": [TOKEN], "logprobs": logprobs}


def refusal(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "code": status}}, status=status)


@contextmanager
def served(*engines: FakeEngine) -> Iterator[None]:
    """Each at a port of its own, on one thread."""
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def start() -> None:
        for engine in engines:
            runner = web.AppRunner(engine.app(), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            engine.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            runners.append(runner)
        ready.set()

    async def stop() -> None:
        for runner in runners:
            await runner.cleanup()

    runners: list[web.AppRunner] = []
    loop.create_task(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


if __name__ == "__main__":
    web.run_app(FakeEngine(Path(sys.argv[1])).app(), host="127.0.0.1", port=int(sys.argv[2]))
