"""What the learner does while no round runs: it scores stored answers, a little at each tick.

What people look at is first, then what was answered last. It holds the newest reward model as long
as there is something to score, and lets go of it before a round begins. Nothing that a round reads
comes from here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from feedback.preferences import last_user_message
from feedback.records import UnscoredAnswer
from feedback.store import Store
from learner.reward_settings import UnusableScorer
from learner.settings import LearnerSettings
from policy.source import load_chat
from policy.versions import CorruptVersion, UnknownVersion, Versions

if TYPE_CHECKING:
    from learner.rewarder import Rewarder

AT_ONCE = 8
"""Answers in one forward pass, after which it looks at the time."""

KEPT_S = 60.0
"""Seconds without work after which the model's memory is given back."""

log = logging.getLogger("rankloop.learner")


class Idle:
    """The newest reward model, asked about what is stored."""

    def __init__(self, store: Store, versions: Versions, settings: LearnerSettings) -> None:
        self.store = store
        self.versions = versions
        self.settings = settings
        self.loaded: tuple[str, Rewarder] | None = None
        self.said: dict[tuple[int, ...], str] = {}
        self.unusable: str | None = None
        self.worked = 0.0

    def turn(self) -> None:
        """Score for `idle_s` or a little more: what was begun is ended."""
        if not self.settings.idle_s:
            return
        reward, until = self.store.newest_reward(), time.monotonic() + self.settings.idle_s
        if reward is not None and reward != self.unusable:
            while self._score(reward) and time.monotonic() < until:
                pass

    def _score(self, reward: str) -> bool:
        """Score a few answers; whether there were any."""
        answers = self.store.unscored(reward, AT_ONCE)
        rewarder = self._rewarder(reward) if answers else None
        if rewarder is None:
            self._rest()
            return False
        self.said.clear()
        self.said.update({a.prompt_ids: last_user_message(a.messages) for a in answers})
        self.store.add_rewards(reward, scored(rewarder, answers))
        self.worked = time.monotonic()
        return True

    def leave(self) -> None:
        """Let go of the model: a round begins."""
        self.loaded = None

    def _rest(self) -> None:
        if time.monotonic() - self.worked > KEPT_S:
            self.leave()

    def _rewarder(self, reward: str) -> Rewarder | None:
        """The model, read once; None where its folder is not whole."""
        if self.loaded is None or self.loaded[0] != reward:
            self.leave()
            try:
                self.loaded = reward, self._load(reward)
            except (UnknownVersion, CorruptVersion, UnusableScorer) as error:
                log.warning("no answers are scored: %s", error)
                self.unusable = reward
                return None
        return self.loaded[1]

    def _load(self, reward: str) -> Rewarder:
        # torch is imported once there is a reward model, not at the start
        from learner.device import device_of
        from learner.parallel import use_threads
        from learner.reader import Reader
        from learner.rewarder import Rewarder

        use_threads(1)  # a second one would wait for a core that the server wants
        self.versions.verify(reward)
        reader = Reader(load_chat(self.versions.folder("v0")), self.said)
        device = device_of(self.settings.device)
        return Rewarder.load(self.versions.folder(reward), reader, device)


def scored(rewarder: Rewarder, answers: Sequence[UnscoredAnswer]) -> dict[str, dict[str, float]]:
    """Each answer's figures by its id."""
    from learner.batching import Group

    groups = [Group(answer.prompt_ids, (answer.token_ids,)) for answer in answers]
    rows = rewarder.score(groups)
    return {answer.id: row for answer, [row] in zip(answers, rows, strict=True)}
