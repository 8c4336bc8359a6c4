"""How long a rollback takes, from the call to the first answer by the version that serves again.

    python -m benchmarks.rollback --times 10

Of each turn's two rollbacks the first returns to a version that is in memory, the second, right
after it, to one that is read from disk. The built-in model, over HTTP, as an operator would.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
import typer

from benchmarks.product import Api, Product, running
from feedback.settings import DatabaseSettings
from feedback.store import Store
from policy.versions import Versions

ASK_S = 0.02
"""Between two questions which version answers."""

HELLO = [{"role": "user", "content": "Hello!"}]


def main(times: int = 10) -> None:
    """Prints one JSON object: seconds, each and their median, from memory and from disk."""
    with TemporaryDirectory() as folder:
        few = {"server.spare_versions": "0"}
        with running(Path(folder) / "data", "builtin", few) as product:
            found = [turn(product) for _ in range(times)]
    both = {"memory": [one[0] for one in found], "disk": [one[1] for one in found]}
    medians = {f"{where}_median": median(seconds) for where, seconds in both.items()}
    typer.echo(json.dumps({**both, **medians}))


def turn(product: Product) -> tuple[float, float]:
    """Seconds of a rollback from memory, and of one from disk."""
    live = answering(product.api)
    below, middle, top = (publish(product, live) for _ in range(3))
    for id in (below, middle, top):
        product.api.post(f"/v1/versions/{id}/promote", reason="a measurement")
        until(product.api, id)
    return roll_back(product.api, middle), roll_back(product.api, below)


def roll_back(api: Api, expected: str) -> float:
    began = time.perf_counter()
    restored = api.post("/v1/versions/rollback", reason="a measurement")
    assert restored["id"] == expected, "the versions form a stack"
    until(api, expected)
    return time.perf_counter() - began


def until(api: Api, id: str) -> None:
    """Asks until this version answers."""
    while answering(api) != id:
        time.sleep(ASK_S)


def answering(api: Api) -> str:
    return api.replies(HELLO, max_tokens=1)[0].version


def publish(product: Product, parent: str) -> str:
    """A verified version: the parent's weights, a little disturbed."""
    versions = Versions(product.data / "versions")
    model = versions.load(parent)
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.add_(1e-4 * torch.randn(weight.shape))
    store = Store.open(DatabaseSettings().resolve(product.data))
    id = store.next_id("v")
    manifest = versions.publish(id, model, kind="full", parent=parent, round=None)
    store.register_version(id, digest=manifest.digest, parent=parent, kind="full")
    store.verify(id, actor="benchmark", reason="a measurement")
    store.close()
    return id


if __name__ == "__main__":
    typer.run(main)
