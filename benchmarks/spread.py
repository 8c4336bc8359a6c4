"""The product as it is on several machines, on this one: vLLM engines, servers over one PostgreSQL
and one place for versions, a learner, and the proxy before the servers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from benchmarks.postgres import PostgresServer, binaries
from benchmarks.processes import Process, process, rankloop
from benchmarks.product import Api, Product, client_of, free_ports, wait_for
from benchmarks.vllm_engines import engines
from policy.source import resolve

PROXY = Path(__file__).parent.parent / "deploy" / "kubernetes" / "Caddyfile"
CONTEXT = 1024
SETTINGS = {
    "learner.weights": "lora",
    "learner.sampler": "vllm",
    "server.sampler": "vllm",
}


@contextmanager
def spread(
    data: Path,
    model: str,
    overrides: Mapping[str, str],
    *,
    vllm: Path,
    count: int = 2,
    context: int = CONTEXT,
) -> Iterator[Product]:
    """`count` engines and as many servers, a learner, and the proxy, whose address is the
    product's. `vllm`: a Python that has vLLM; `context`: tokens of a prompt and its answer that an
    engine has room for. Raises RuntimeError or NotStarted where one of them does not come up,
    SystemExit without PostgreSQL.
    """
    found = binaries()
    if found is None:
        raise SystemExit("PostgreSQL is not installed: there is no initdb on the path")
    data.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        database = PostgresServer(found)
        database.start()
        stack.callback(database.stop)
        fleet = stack.enter_context(engines(vllm, resolve(model), count, context, data))
        settings = {
            **SETTINGS,
            "model": model,
            "database.url": database.url,
            "versions.url": (data / "versions").as_uri(),
            "vllm.urls": ",".join(engine.url for engine in fleet),
            **overrides,
        }
        *ports, api, page = free_ports(count + 2)
        servers = [
            stack.enter_context(rankloop("server", f"server-{port}", data, settings, port))
            for port in ports
        ]
        stack.enter_context(rankloop("learner", "learner", data, settings))
        url = f"http://127.0.0.1:{api}"
        proxy = stack.enter_context(_proxy(data, ports, api, page))
        client: httpx.Client = stack.enter_context(client_of(url))
        for server, port in zip(servers, ports, strict=True):
            log = data / f"server-{port}.log"
            wait_for(server, [f"http://127.0.0.1:{port}/readyz"], log)
        wait_for(proxy, [f"{url}/readyz"], data / "proxy.log")
        yield Product(Api(client), url, f"http://127.0.0.1:{page}", data)


def caddy() -> str:
    """The proxy's program, of this environment: 2.6, which systems may have, ends the answer of a
    server that died as if it were whole.
    """
    return str(Path(sys.executable).with_name("caddy"))


@contextmanager
def _proxy(data: Path, servers: list[int], api: int, page: int) -> Iterator[Process]:
    given = {
        "API_ADDRESS": f"http://127.0.0.1:{api}",
        "PAGE_ADDRESS": f"http://127.0.0.1:{page}",
        "SERVERS": " ".join(f"127.0.0.1:{port}" for port in servers),
        "XDG_DATA_HOME": str(data),
        "XDG_CONFIG_HOME": str(data),
    }
    command = [caddy(), "run", "--config", str(PROXY), "--adapter", "caddyfile"]
    with process(command, data / "proxy.log", {**os.environ, **given}) as started:
        yield started
