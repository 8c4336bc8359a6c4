"""What a running thing has to remember to go on where it was: tensors, and values that JSON holds.

Whatever owns state has a pair `state()` and `restore(state)`. The first copies nothing: a state is
to be written before its owner goes on. The second leaves every weight where it stands, because the
optimiser, and whoever shares it, holds that very tensor.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor


@dataclass(frozen=True)
class State:
    """Tensors by name, and values by name. JSON keeps a float exactly."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, **parts: State) -> State:
        """Several states as one, each under its name."""
        tensors = {
            f"{name}/{key}": tensor
            for name, part in parts.items()
            for key, tensor in part.tensors.items()
        }
        return cls(tensors, {name: part.values for name, part in parts.items()})

    def part(self, name: str) -> State:
        """What `of` put under this name. Raises KeyError."""
        start = f"{name}/"
        tensors = {
            key.removeprefix(start): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(start)
        }
        return State(tensors, self.values[name])


class Stateful(Protocol):
    """Whatever can be saved and gone on with."""

    def state(self) -> State:
        """All that the next step depends on."""

    def restore(self, state: State) -> None:
        """Be as the one was that gave this state."""


def draws_of(rng: random.Random) -> list[Any]:
    """Where a generator stands, as JSON."""
    version, internal, gauss = rng.getstate()
    return [version, list(internal), gauss]


def put_draws(rng: random.Random, draws: list[Any]) -> None:
    """The inverse of `draws_of`."""
    version, internal, gauss = draws
    rng.setstate((version, tuple(internal), gauss))
