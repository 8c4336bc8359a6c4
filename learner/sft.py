"""The supervised loss: how likely a policy finds replies that it should have given."""

from __future__ import annotations

from torch import Tensor
from transformers import PreTrainedModel

from learner.batching import Batch
from learner.forward import reply_logits_NV
from learner.losses import token_logps


def supervised_loss(net: PreTrainedModel, batch: Batch) -> Tensor:
    """Mean negative log-likelihood of the batch's reply tokens, in nats per token."""
    return -token_logps(reply_logits_NV(net, batch), batch.targets_N).mean()
