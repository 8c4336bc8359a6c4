"""What the stages of the benchmark on real feedback share: folders, effort, progress, tokens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from benchmarks.real_data import Turns
from learner.reward import Report
from policy.chat import Chat
from policy.model import Model
from policy.versions import Versions

LONGEST = 256
"""Tokens of a prompt, its last ones, and of a reply, its first ones: a row's cost is in them."""

QUIET_S = 5.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class Effort:
    """How much of everything; the defaults are what the figures in the docs were taken with."""

    passes: int = 4
    splits: int = 5
    reward_epochs: int = 3
    ppo_steps: int = 44
    prompts_per_step: int = 16
    held_out_prompts: int = 200
    examples: int = 20
    folds: int = 2
    ranking_epochs: int = 2


QUICK = Effort(
    passes=1,
    splits=2,
    reward_epochs=1,
    ppo_steps=1,
    prompts_per_step=4,
    held_out_prompts=8,
    examples=2,
    ranking_epochs=1,
)
"""For a look at whether everything works; its figures mean nothing."""


@dataclass
class Workshop:
    """Where data is read from and versions are kept, and who is told how far it is."""

    data: Path
    versions: Versions
    effort: Effort
    began: float = field(default_factory=time.monotonic)
    told: float = 0.0

    @property
    def base(self) -> Model:
        """The built-in model as it is installed."""
        return self.versions.load("v0")

    def say(self, text: str) -> None:
        """A line, with the seconds since the start."""
        self.told = time.monotonic()
        typer.echo(f"[{self.told - self.began:5.0f} s] {text}")

    def reporter(self, what: str) -> Report:
        """A callback `(step, steps, metrics)` that says where this is, once in a while."""

        def report(step: int, steps: int, metrics: dict[str, float]) -> None:
            if time.monotonic() - self.told > QUIET_S:
                figures = " ".join(f"{name} {value:.3f}" for name, value in metrics.items())
                self.say(f"{what}: step {step} of {steps} {figures}")

        return report


def prompt_ids(chat: Chat, context: Turns) -> tuple[int, ...]:
    """The conversation's end, as it would be answered."""
    return tuple(chat.encode(context)[-LONGEST:])


def reply_ids(chat: Chat, text: str) -> tuple[int, ...]:
    """The reply with its end of turn, where there is room for that."""
    return tuple(chat.encode_reply(text)[:LONGEST])


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As Markdown; a bar in a cell is escaped, a line break becomes one of HTML's."""
    lines = [heads, ["---"] * len(heads), *rows]
    cells = [[cell.replace("|", "\\|").replace("\n", "<br>") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
