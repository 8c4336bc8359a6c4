"""What the learner does while no round runs, a little at each tick.

1. Rankings that the newest reward model has not learned from are taken into its heads
   (learner/fresh.py), and the answers they are about are scored again.
2. Answers that people look at are scored, then those that were given last.

It holds the newest reward model for as long as there is something to do, and lets go of it before a
round begins. Nothing that a round reads comes from here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from feedback import personal
from feedback.preferences import RankedPrompt, last_user_message
from feedback.records import UnscoredAnswer
from feedback.store import Store
from learner.reward_settings import RewardSettings, UnusableScorer
from learner.settings import LearnerSettings
from policy.source import load_chat
from policy.versions import CorruptVersion, UnknownVersion, Versions

if TYPE_CHECKING:
    from learner.fresh import Fresh
    from learner.rewarder import Rewarder

AT_ONCE = 8
"""Answers in one forward pass, after which it looks at the time."""

KEPT_S = 600.0
"""Seconds without work after which the model's memory is given back."""

log = logging.getLogger("rankloop.learner")


@dataclass(frozen=True)
class Loaded:
    """A reward model in memory, and what keeps its heads up to date."""

    id: str
    rewarder: Rewarder
    fresh: Fresh


class Idle:
    """The newest reward model, kept up to date and asked about what is stored."""

    def __init__(
        self, store: Store, versions: Versions, settings: LearnerSettings, heads: Path
    ) -> None:
        """`heads` is the folder where what was learned since the last round is kept."""
        self.store = store
        self.versions = versions
        self.settings = settings
        self.heads = heads
        self.loaded: Loaded | None = None
        self.said: dict[tuple[int, ...], str] = {}
        self.unusable: str | None = None
        self.settled: tuple[str, int] | None = None
        self.worked = 0.0

    def turn(self) -> None:
        """Work for `idle_s` or a little more: what was begun is ended."""
        if not self.settings.idle_s:
            return
        reward, until = self.store.newest_reward(), time.monotonic() + self.settings.idle_s
        if reward is not None and reward != self.unusable:
            while self._work(reward) and time.monotonic() < until:
                pass

    def leave(self) -> None:
        """Let go of the model: a round begins."""
        self.loaded = None

    def _work(self, reward: str) -> bool:
        """Do the next thing; whether there was any."""
        known = reward, self.store.last_ranking()
        answers = self._answers(reward)
        loaded = self._loaded(reward) if answers or known != self.settled else None
        if loaded is None:
            self._rest()
            return False
        self.worked = time.monotonic()
        # A text model has no head on the trunk that could be moved by itself.
        if loaded.rewarder.text is None and loaded.fresh.step():
            return True
        self.settled = known
        if answers:
            self._score(loaded, answers)
        return bool(answers)

    def _answers(self, reward: str) -> list[UnscoredAnswer]:
        """Those to score next, the ones that new rankings are about before all."""
        while self.loaded is not None and self.loaded.fresh.changed:
            fresh = self.loaded.fresh
            wanted = fresh.changed[:AT_ONCE]
            found = self.store.answers(wanted)
            # Imported answers have no tokens to score, nor have those that were taken back.
            lost = set(wanted) - {answer.id for answer in found}
            fresh.changed = [id for id in fresh.changed if id not in lost]
            if found:
                return found
        return self.store.unscored(reward, AT_ONCE)

    def _score(self, loaded: Loaded, answers: Sequence[UnscoredAnswer]) -> None:
        """Keep what the model says of them, by the heads that it has now."""
        from learner.batching import Group

        self.said.clear()
        self.said.update({a.prompt_ids: last_user_message(a.messages) for a in answers})
        groups = [Group(a.prompt_ids, (a.token_ids,)) for a in answers]
        found = loaded.rewarder.opinions(groups)
        said = {answer.id: one for answer, [one] in zip(answers, found, strict=True)}
        rows = {id: one.figures for id, one in said.items()}
        by_head = {id: one.by_head for id, one in said.items() if one.by_head is not None}
        self.store.add_rewards(loaded.id, rows, loaded.fresh.since, by_head)
        loaded.fresh.changed = [id for id in loaded.fresh.changed if id not in rows]

    def _rest(self) -> None:
        if time.monotonic() - self.worked > KEPT_S:
            self.leave()

    def _clean(self, rankings: Sequence[RankedPrompt]) -> Sequence[RankedPrompt]:
        """Those that hold no personal data, unless that is to be learned from."""
        if self.settings.personal_data:
            return rankings
        return [ranked for ranked in rankings if not personal.in_answered(ranked)]

    def _loaded(self, reward: str) -> Loaded | None:
        """The model, read once; None where it cannot be had."""
        if self.loaded is None or self.loaded.id != reward:
            self.leave()
            try:
                self.loaded = self._load(reward)
            except (UnknownVersion, CorruptVersion, UnusableScorer) as error:
                log.warning("no answers are scored: %s", error)
                self.unusable = reward
        return self.loaded

    def _load(self, reward: str) -> Loaded:
        # what takes seconds to import waits for a reward model
        from learner.device import device_of
        from learner.encoding import Encoder
        from learner.fresh import Fresh
        from learner.parallel import use_threads
        from learner.published import published
        from learner.reader import Reader

        use_threads(1)  # a second one would wait for a core that the server wants
        settings = RewardSettings.model_validate(self.versions.verify(reward).settings)
        reader = Reader(load_chat(self.versions.folder("v0")), self.said)
        device = device_of(self.settings.device)
        rewarder = published(self.versions, reward, reader, device)
        encoder = Encoder(self.versions.folder("v0"))

        def read(ids: Sequence[int]) -> list[RankedPrompt]:
            return encoder.answered(self._clean(self.store.training_rankings(ids)))

        trust = self.settings.trust
        fresh = Fresh(self.store, self.heads, reward, rewarder.own, settings, trust, read)
        return Loaded(reward, rewarder, fresh)
