"""What a version's weights say of tokens that were sampled before.

The weights come from the version's folder, through the same check of digests that the server makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers.utils.logging import disable_progress_bar

from policy.model import Model
from policy.versions import Versions

KEPT_MODELS = 2


@dataclass
class Rescorer:
    """Log-probabilities under any version in a data folder; keeps the last two models loaded."""

    data: Path
    _models: dict[str, Model] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A second thread waits busily for the server's: ten times slower on two cores.
        torch.set_num_threads(1)
        disable_progress_bar()  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def logps(self, version: str, prompt: Sequence[int], tokens: Sequence[int]) -> list[float]:
        """log softmax(z) at temperature 1 of each token, one reply at a time: nothing is padded."""
        net = self._model(version).net
        ids = torch.tensor([[*prompt, *tokens]], device=net.device)
        logits_TV = net(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
        logps_T = logits_TV.log_softmax(-1).gather(-1, ids[0, len(prompt) :, None])[:, 0]
        return [float(logp) for logp in logps_T]

    def _model(self, version: str) -> Model:
        if version not in self._models:
            while len(self._models) >= KEPT_MODELS:
                self._models.pop(next(iter(self._models)))
            self._models[version] = Versions(self.data / "versions").load(version)
        return self._models[version]
