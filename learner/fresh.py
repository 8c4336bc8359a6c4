"""Rankings given since a reward model was trained, taken into its heads within seconds.

The published folder is not touched: the heads lie in the data folder beside, with how many rankings
they have taken in. Rounds start from the starting model and never read them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from feedback.preferences import RankedPrompt
from feedback.store import Store
from feedback.trust.judgements import Judgement
from feedback.trust.settings import TrustSettings
from feedback.trust.weights import apply, weigh
from learner.batching import collate
from learner.features import reply_features_RD
from learner.head_update import Seen, heads_HD, put, updated
from learner.marked import ranked_group
from learner.reward_model import RewardModel
from learner.reward_settings import RewardSettings

REPLAYED, TAKEN = 64, 256
"""Rankings of the model's round that are played again, and most new ones that are taken in."""

AT_ONCE = 2
"""Rankings in one forward pass."""


@dataclass(frozen=True)
class Due:
    """New rankings, those played again, and the last ranking of all when they were read."""

    new: Sequence[RankedPrompt]
    replayed: Sequence[RankedPrompt]
    last: int


class Fresh:
    """A reward model whose heads follow the rankings.

    `since` counts the rankings taken in, `changed` are the answers whose rankings were among them
    and that are to be scored again. `read` gives rankings by their ids, as far as they may be
    learned from.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        id: str,
        model: RewardModel,
        settings: RewardSettings,
        trust: TrustSettings,
        read: Callable[[Sequence[int]], list[RankedPrompt]],
    ) -> None:
        self.store = store
        self.read = read
        self.file = folder / f"{id}.safetensors"
        self.id = id
        self.model = model
        self.settings = settings
        self.trust = trust
        self.published_HD = heads_HD(model)
        self.since = self.last = 0
        self.seen: dict[int, Seen] = {}
        self.due: Due | None = None
        self.changed: list[str] = []
        self._resume()

    def step(self) -> bool:
        """Do a little: read new rankings, run a few answers through the trunk, or move the heads.
        Whether there was anything to do.
        """
        if self.due is None:
            if self.store.last_ranking() == self.last:
                return False
            self.due = self._read()
        rankings = [*self.due.new, *self.due.replayed]
        unseen = [ranked for ranked in rankings if ranked.ranking_id not in self.seen]
        if unseen:
            self._see(unseen[:AT_ONCE])
        else:
            self._take_in(self.due)
            self.due = None
        return True

    def _read(self) -> Due:
        """Without new rankings too: what is played again is then at hand when one comes."""
        last = self.store.last_ranking()
        used, new = self.store.rankings_by_use(self.id)
        replayed = random.Random(0).sample(used, min(REPLAYED, len(used)))
        return self._weighed(Due(self.read(new[-TAKEN:]), self.read(replayed), last))

    def _weighed(self, due: Due) -> Due:
        """By what these rankings say of their people; those that are left out are not taken in."""
        rankings = [Judgement.of(ranked) for ranked in (*due.new, *due.replayed)]
        weighing = weigh(rankings, self.trust, seed=0)
        return Due(apply(due.new, weighing), apply(due.replayed, weighing), due.last)

    @torch.no_grad()
    def _see(self, rankings: Sequence[RankedPrompt]) -> None:
        """Keep the answers as the trunk has them."""
        groups = [ranked_group(ranked) for ranked in rankings]
        batch = collate([group.group for group in groups], self.model.net.device)
        features_RD = reply_features_RD(self.model.hidden_MD(batch), batch)
        parts = torch.split(features_RD, [len(group.ranks) for group in groups])
        for ranked, group, part_KD in zip(rankings, groups, parts, strict=True):
            self.seen[ranked.ranking_id] = Seen(group, part_KD)

    def _take_in(self, due: Due) -> None:
        """Move the heads to where old and new rankings have them, from where they were published:
        the same rankings give the same heads, however they came.
        """
        put(self.model, self._moved_HD(due) if due.new else self.published_HD)
        ids = [a.candidate_id for r in due.new if r.ranking_id > self.last for a in r.answers]
        self.changed = [*dict.fromkeys([*ids, *self.changed])]
        self.since, self.last = len(due.new), due.last
        if due.new:
            self._save()

    def _moved_HD(self, due: Due) -> Tensor:
        seen = [self.seen[r.ranking_id].weighing(r.weight) for r in (*due.new, *due.replayed)]
        return updated(self.model, self.published_HD, seen, self.settings)

    def _save(self) -> None:
        """Write the heads whole or not at all."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        beside = self.file.with_suffix(".tmp")
        said = {"rankings": str(self.since), "last": str(self.last)}
        save_file({"weight": heads_HD(self.model).cpu()}, beside, said)
        beside.rename(self.file)

    def _resume(self) -> None:
        """Go on from the heads that were written last."""
        if not self.file.is_file():
            return
        with safe_open(self.file, "pt") as file:
            put(self.model, file.get_tensor("weight"))
            said = file.metadata()
        self.since, self.last = int(said["rankings"]), int(said["last"])
