"""What a server and a learner need of memory, by model: reckoned from shapes, as the learner itself
does before a round.
"""

from __future__ import annotations

from dataclasses import dataclass

from learner.memory import planned
from learner.settings import LearnerSettings
from learner.shape import Shape
from policy.source import BUILTIN

PROCESS = 700 * 2**20
"""Of a server's two processes without a model, measured on a CPU."""

RESIDENT = 4
"""Versions in memory: live, the one before, v0 and a canary."""

RANK = 16


@dataclass(frozen=True)
class Model:
    """A shape with its name; `half`: its weights are kept in two bytes each."""

    name: str
    shape: Shape
    half: bool


MODELS = (
    Model("built-in, 3.1 M", Shape.read(BUILTIN), half=False),
    Model("135 M", Shape(134_515_008, 30, 576, 1536, 576, 192, 49_152, True), half=True),
    Model("1.7 B", Shape(1_711_376_384, 24, 2048, 8192, 2048, 2048, 49_152, True), half=True),
    Model("8 B", Shape(8_030_261_248, 32, 4096, 14_336, 4096, 1024, 128_256, False), half=True),
)


@dataclass(frozen=True)
class Memory:
    """In bytes: of a server with full versions and with adapters, with so many rows of a context;
    of a round that trains all weights, and one that trains adapters.
    """

    server_full: int
    server_adapters: int
    round_full: int
    round_adapters: int


def of(model: Model, rows: int, context: int) -> Memory:
    """For so many answers at a time, each with its prompt of so many tokens."""
    size = 2 if model.half else 4
    weights = model.shape.parameters * size
    cache = 2 * model.shape.layers * model.shape.keys * size * rows * context
    adapter = model.shape.adapter(RANK) * 4
    full, lora = (LearnerSettings(weights=kind) for kind in ("full", "lora"))
    return Memory(
        PROCESS + RESIDENT * weights + cache,
        PROCESS + weights + (RESIDENT - 1) * adapter + cache,
        planned(model.shape, full).total,
        planned(model.shape, lora).total,
    )
