"""What a linear head of a reward model reads of a reply.

Axes: R replies, M positions of a batch, D hidden.
"""

from __future__ import annotations

from torch import Tensor

from learner.batching import Batch


def reply_features_RD(hidden: Tensor, batch: Batch) -> Tensor:
    """Half of the last token's state and half of the mean over the reply, of the trunk's states
    (M, D). Heads are linear, so states are brought together before them.
    """
    states_ND = hidden[batch.stands_N]
    sums_RD = hidden.new_zeros(len(batch.last_R), hidden.shape[-1])
    sums_RD = sums_RD.index_add(0, batch.reply_N, states_ND)
    return (sums_RD / batch.lengths_R[:, None] + hidden[batch.last_R]) / 2
