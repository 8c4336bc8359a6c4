"""How much memory a round needs at most, told before it starts, and whether this box has it.

A round's peak is in one of its stages: both reward models are trained at once; the policy samples,
and is updated; two versions more are loaded for the gate. Each stage holds its nets, what its
optimisers keep, and what a pass takes. Measured: benchmarks/learner_memory.py.

All in bytes, of float32 unless said. Replies are taken to be as long as they may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from learner.device import free_bytes, on_cpu
from learner.passes import Pass
from learner.settings import LearnerSettings
from learner.shape import Shape

FLOAT = 4

RUNTIME = 576 * 2**20
"""Of a process on a CPU with torch, transformers, the database's libraries and what is compiled,
before any net."""

PROMPT = 128
"""Tokens of the longest prompt, as long as none is known: one widens every row beside it."""


@dataclass(frozen=True)
class Needs:
    """What the round's hungriest stage holds, by part; whether activations are made again."""

    stage: str
    parts: Mapping[str, int]
    again: bool

    @property
    def total(self) -> int:
        return sum(self.parts.values())

    @property
    def text(self) -> str:
        """For people: the total, where, and of what."""
        parts = ", ".join(f"{name} {size / 2**30:.2f}" for name, size in self.parts.items() if size)
        return f"about {self.total / 2**30:.1f} GiB in {self.stage}: {parts}"


def missing(folder: Path, settings: LearnerSettings) -> str | None:
    """What this box lacks to train the model in `folder`, as a sentence; None if nothing."""
    found = planned(Shape.read(folder), settings)
    free = free_bytes(settings.device)
    if found.total <= free:
        return None
    return (
        f"A round needs {found.text}; {free / 2**30:.1f} GiB are free: the model serves and "
        "rankings are recorded, but no round can run here."
    )


def planned(shape: Shape, settings: LearnerSettings, prompt: int = PROMPT) -> Needs:
    """What a round needs. Left to it, activations are made again with adapters, where they are most
    of all there is, and where they would not fit otherwise."""
    again = settings.checkpointing == "on"
    found = needs(shape, settings, again, prompt)
    if settings.checkpointing != "auto":
        return found
    if settings.weights == "lora" or found.total > free_bytes(settings.device):
        return needs(shape, settings, True, prompt)
    return found


def needs(shape: Shape, settings: LearnerSettings, again: bool, prompt: int = PROMPT) -> Needs:
    """Of the stage that needs most, for prompts of so many tokens."""
    stages = _stages(Held(shape, settings), Pass(shape, settings, again, prompt))
    stage, parts = max(stages, key=lambda found: sum(found[1].values()))
    process = RUNTIME if on_cpu(settings.device) else 0
    return Needs(stage, {"process": process} | parts, again)


@dataclass(frozen=True)
class Held:
    """What nets and optimisers hold, in bytes."""

    shape: Shape
    settings: LearnerSettings

    @property
    def lora(self) -> bool:
        return self.settings.weights == "lora"

    @property
    def policy(self) -> int:
        """What is trained of the policy."""
        adapter = self.shape.adapter(self.settings.lora.rank)
        return FLOAT * (adapter if self.lora else self.shape.parameters)

    @property
    def judge(self) -> int:
        """What is trained of a reward model."""
        return self.policy if self.lora else FLOAT * self.shape.trunk

    @property
    def critic(self) -> int:
        """What a critic of its own holds: weights, two moments and a gradient."""
        own = self.settings.method == "ppo" and self.settings.ppo.critic == "own"
        return 4 * self.judge if own else 0

    @property
    def nets(self) -> dict[str, int]:
        """Reference, policy, reward model and judge."""
        own = self.policy + 2 * self.judge
        return {"base": self.base, "adapters" if self.lora else "other nets": own}

    @property
    def base(self) -> int:
        chosen = self.settings.dtype
        on_gpu = chosen == "auto" and not on_cpu(self.settings.device)
        half = self.lora and (chosen == "bfloat16" or on_gpu)
        return (2 if half else FLOAT) * self.shape.parameters


def _stages(held: Held, work: Pass) -> Iterator[tuple[str, dict[str, int]]]:
    """Each stage's parts. A pass's activations go as gradients come, so the larger of the two
    counts; a tied embedding has a second gradient while the two meet."""
    head = 0 if held.lora else FLOAT * held.shape.head
    nets, moments, back = held.nets, 2 * held.policy, held.policy
    models = work.threads  # that are trained at once, of two
    kept = work.activations(work.ranked) * models
    own = {"optimisers": 2 * models * held.judge} | _larger(kept, models * (held.judge + head))
    yield "training the reward models", nets | own
    steps = {"optimiser": moments, "weights to go back to": back, "critic": held.critic}
    # The compiled step takes trained weights in another layout (policy/compiled_decoder.py).
    laid_out = 0 if held.lora or not on_cpu(held.settings.device) else work.threads * held.policy
    sampling = {
        "rollout cache": work.cache,
        "logits": work.sampled_logits,
        "weights laid out to decode": laid_out,
    }
    yield "sampling", nets | steps | sampling
    gradients = work.threads * (held.policy + head)
    logits = {"logits": work.logits + work.threads * 2 * head}
    update = _larger(work.activations(work.updated), gradients)
    if work.several:  # the sum of the passes before is there too
        update["gradients"] = gradients + (update.get("gradients", 0) if work.threads > 1 else 0)
    yield "updating the policy", nets | steps | logits | update
    full = sampling | {"rollout cache": work.full_cache, "two versions": 2 * held.policy}
    said = {"the gate's logits": work.gate_logits, "replies": work.gate_replies}
    yield "the gate", nets | full | said


def _larger(activations: int, gradients: int) -> dict[str, int]:
    """Under the name of what it is."""
    more = activations >= gradients
    return {"activations": activations} if more else {"gradients": gradients}
