"""How soon every server follows: from a move of the live pointer to the first moment at which all
of them answer by the version that it names. `python -m benchmarks.servers --servers 2 --times 10`.

Real servers over one real PostgreSQL, each with a data folder of its own and the versions at one
address, with the built-in model. Each turn promotes a version that none has in memory, and rolls it
back. The last line printed is one JSON object, in seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import torch
import typer

from benchmarks.postgres import PostgresServer, binaries
from benchmarks.processes import rankloop
from benchmarks.product import free_ports
from feedback.store import Store
from policy.settings import VersionSettings
from policy.versions import Versions

ASK_S = 0.02
"""Between two questions which version answers."""

START_S = 600.0
FOLLOW_S = 120.0


def main(
    servers: Annotated[int, typer.Option(min=1)] = 2,
    times: Annotated[int, typer.Option(min=1)] = 10,
) -> None:
    """Print one JSON object: of promotions and of rollbacks, each and their median."""
    found = binaries()
    if found is None:
        raise SystemExit("PostgreSQL is not installed: there is no initdb on the path")
    database = PostgresServer(found)
    database.start()
    try:
        with TemporaryDirectory() as folder, _all(Path(folder), database.url, servers) as clients:
            place = VersionSettings(url=f"file://{folder}/store").place(Path(folder) / "learner")
            with closing(Store.open(database.url)) as store:
                turns = [turn(clients, store, place.open()) for _ in range(times)]
    finally:
        database.stop()
    both = {"promotion": [one[0] for one in turns], "rollback": [one[1] for one in turns]}
    medians = {f"{what}_median": median(seconds) for what, seconds in both.items()}
    most = {f"{what}_most": max(seconds) for what, seconds in both.items()}
    typer.echo(json.dumps({"servers": servers, **both, **medians, **most}))


@contextmanager
def _all(folder: Path, database: str, count: int) -> Iterator[list[httpx.Client]]:
    """Clients of so many servers that are ready."""
    settings = {"database.url": database, "versions.url": f"file://{folder}/store"}
    with ExitStack() as stack:
        clients = []
        for number, port in enumerate(free_ports(count)):
            stack.enter_context(rankloop("server", str(number), folder, settings, port))
            client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
            clients.append(stack.enter_context(client))
        try:
            _until(lambda: {version_of(client) for client in clients} == {"v0"}, START_S)
            yield clients
        except SystemExit:
            for number in range(count):
                typer.echo((folder / f"{number}.log").read_text()[-2000:], err=True)
            raise


def turn(clients: list[httpx.Client], store: Store, versions: Versions) -> tuple[float, float]:
    """Seconds of a promotion and of the rollback after it."""
    before = store.live().version
    id = publish(store, versions)
    began = time.perf_counter()
    store.promote(id, actor="benchmark", reason="a measurement")
    _until(lambda: {version_of(client) for client in clients} == {id}, FOLLOW_S)
    promoted = time.perf_counter() - began
    began = time.perf_counter()
    store.rollback(actor="benchmark", reason="a measurement")
    _until(lambda: {version_of(client) for client in clients} == {before}, FOLLOW_S)
    return promoted, time.perf_counter() - began


def version_of(client: httpx.Client) -> str | None:
    """What the server answers by; None while it cannot be asked."""
    try:
        version: str | None = client.get("/readyz").json()["version"]
    except httpx.TransportError:
        return None
    return version


def publish(store: Store, versions: Versions) -> str:
    """A verified version: v0's weights, a little disturbed."""
    model = versions.load("v0")
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.add_(1e-4 * torch.randn(weight.shape))
    id = store.next_id("v")
    manifest = versions.publish(id, model, kind="full", parent="v0", round=None)
    store.register_version(id, digest=manifest.digest, parent="v0", kind="full")
    store.verify(id, actor="benchmark", reason="a measurement")
    return id


def _until(done: Callable[[], bool], within_s: float) -> None:
    until = time.perf_counter() + within_s
    while not done():
        if time.perf_counter() > until:
            raise SystemExit(f"not all servers followed within {within_s:.0f} s")
        time.sleep(ASK_S)


if __name__ == "__main__":
    typer.run(main)
