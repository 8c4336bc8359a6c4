"""Versions whose files are not what they were, or whose weights are no numbers: nobody is answered
by them, and the one before is live again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch

from policy.model import Model
from tests.faults.ground import until
from tests.faults.row import Row
from tests.faults.standing import Server, Standing, promote, publish, slightly, weights

PAGE = 4096


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def zero_a_page(file: Path) -> None:
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + PAGE] = bytes(PAGE)
    file.write_bytes(content)


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "truncated": truncate,
    "bit-flipped": flip_a_bit,
    "zeroed": zero_a_page,
    "missing": Path.unlink,
}


def damaged(standing: Standing, damage: Callable[[Path], None]) -> list[str]:
    """A version is promoted whose weights are damaged after it was published."""
    server = standing.up()
    id = publish(server.folder, slightly)
    damage(weights(server.folder, id))
    return _refused(server, id)


def swapped(standing: Standing) -> list[str]:
    """Two versions have each other's weights; both are promoted."""
    server = standing.up()
    ids = [publish(server.folder, change) for change in (slightly, _other_way)]
    one, other = (weights(server.folder, id) for id in ids)
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    return [wrong for id in ids for wrong in _refused(server, id)]


def no_numbers(standing: Standing) -> list[str]:
    """Its files are as they were published, and its weights are NaN."""
    server = standing.up()
    return _refused(server, publish(server.folder, _nan))


def damaged_while_down(standing: Standing) -> list[str]:
    """What is live and all before it but v0, each damaged in another way while nothing runs."""
    server = standing.up()
    ids = []
    for _ in DAMAGES:
        ids.append(publish(server.folder, slightly))
        promote(server.folder, ids[-1])
        server.await_ready(ids[-1])
    server.process.stop()
    for id, damage in zip(ids, DAMAGES.values(), strict=True):
        damage(weights(server.folder, id))
    server.mend()
    server.await_ready("v0")
    return [*_used(server, "v0"), *server.broken()]


def _refused(server: Server, id: str) -> list[str]:
    """Promoted, it is rolled back on record with the reason, and v0 answers all the while."""
    promote(server.folder, id)
    store = server.folder.store
    until(lambda: store.live().version != id, f"{id} is taken back")
    version = store.version(id)
    found = [] if version.state == "rejected" else [f"{id} is {version.state}"]
    if "cannot be served" not in version.events[-1].reason:
        found.append(f"{id} was rejected without its reason: {version.events[-1].reason}")
    return [*found, *_used(server, "v0"), *server.broken()]


def _used(server: Server, id: str) -> list[str]:
    answered = server.client.turn(f"after {len(server.client.rankings)}")
    return [] if answered == id else [f"{answered} answered, not {id}"]


def _other_way(model: Model) -> None:
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.mul_(0.99)


def _nan(model: Model) -> None:
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.fill_(float("nan"))


def rows(standing: Standing) -> list[Row]:
    """One after the other, against one server."""
    return [
        *(
            Row("a version's files", name, partial(damaged, standing, damage))
            for name, damage in DAMAGES.items()
        ),
        Row("a version's files", "swapped", partial(swapped, standing)),
        Row("all versions but v0", "damaged while down", partial(damaged_while_down, standing)),
        Row("a version's weights", "NaN", partial(no_numbers, standing)),
    ]
