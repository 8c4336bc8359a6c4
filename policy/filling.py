"""A prompt that goes through the model in parts, apart from the rows that decode.

A long one does not hold up everybody else's next token, and one that begins like an earlier one
goes on from what was kept of that. It knows no slots and no sampling. Axes: T positions, V
vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from policy.cache import Kept
from policy.decoder import Decoder
from policy.requests import Request, Scores, Top


@dataclass
class Filling:
    """A request whose prompt, less its last token, is on its way through the model. `indices` are
    its answers that are still wanted, `kept` the prompt's keys and values so far."""

    request: Request
    indices: list[int]
    kept: Kept = ()
    done: int = field(init=False)
    logps: list[float] = field(default_factory=list)
    tops: list[Top] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.done = self.kept[0].shape[1] if self.kept else 0

    @property
    def finished(self) -> bool:
        return self.done >= len(self.request.known) - 1

    @property
    def scores(self) -> Scores | None:
        """The prompt's log-probabilities, once finished, if they were asked for."""
        if self.request.prompt_logprobs is None:
            return None
        return Scores(tuple(self.logps), tuple(self.tops))

    def advance(self, decoder: Decoder, tokens: int) -> int:
        """Runs the next tokens, at most so many; how many they were."""
        prompt, scored = self.request.known, self.request.prompt_logprobs is not None
        part = prompt[:-1][self.done : self.done + tokens]
        self.kept, logits_TV = decoder.extend(self.kept, part, logits=scored)
        if logits_TV is not None:
            self._score(logits_TV, prompt[self.done + 1 : self.done + len(part) + 1])
        self.done += len(part)
        return len(part)

    def _score(self, logits_TV: Tensor, ids: tuple[int, ...]) -> None:
        logps_TV = logits_TV.float().log_softmax(-1)
        ids_T = torch.tensor(ids, device=logps_TV.device)
        self.logps += logps_TV.gather(-1, ids_T[:, None])[:, 0].tolist()
        best = logps_TV.topk(min(self.request.prompt_logprobs or 0, logps_TV.shape[-1]))
        columns = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        self.tops += [tuple(zip(ids, logps, strict=True)) for ids, logps in columns]
