"""What choosing alone would do: of v0's answers to a prompt, the one that a reward model prefers.

It costs as many answers as it chooses from, at every request, and no training: what PPO has to be
compared with (best-of-n; Stiennon et al. 2020, 2009.01325). Its KL to v0 is at most
log n - (n - 1) / n nats: 0.64 for four.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.judge import Judge, in_parallel
from benchmarks.judgement import WinRate
from benchmarks.product import Reply
from learner.batching import Group
from learner.published import published
from policy.versions import Versions

CANDIDATES = 4
SEED = 14


@dataclass
class BestOf:
    """Asks v0 once, and chooses again for each reward model."""

    judge: Judge
    data: Path
    prompts: int
    _asked: list[tuple[Group, Sequence[Reply]]] = field(default_factory=list)

    def win(self, reward: str) -> WinRate:
        """The chosen answers against v0's one answer to each prompt."""
        if not self._asked:
            numbers = range(min(self.prompts, len(self.judge.prompts)))
            samples = partial(self.judge.samples, CANDIDATES, SEED)
            self._asked = [self._known(replies) for replies in in_parallel(samples, numbers)]
        model = published(Versions(self.data / "versions"), reward).own
        scores = model.score([group for group, _ in self._asked])
        chosen = {
            number: replies[max(range(len(replies)), key=scores[number].__getitem__)]
            for number, (_, replies) in enumerate(self._asked)
        }
        return self.judge.against_base(chosen)

    def _known(self, replies: Sequence[Reply]) -> tuple[Group, Sequence[Reply]]:
        """The answers with their tokens."""
        details = self.judge.details([reply.candidate for reply in replies])
        tokens = tuple(tuple(detail["tokens"]) for detail in details)
        return Group(tuple(details[0]["prompt_ids"]), tokens), replies
