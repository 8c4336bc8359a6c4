"""The bare passes that a step needs, as a side of the comparison: nothing is sampled, scored,
optimised or kept, and transformers' own modules do the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch.nn import functional as F
from transformers import DynamicCache, PreTrainedModel

from benchmarks.learning_side import Work, serve
from policy.model import load


def prepare(work: Work) -> Callable[[], Mapping[str, float]]:
    torch.set_num_threads(work.threads)
    net = load(Path(work.model), device=work.device).net

    def step() -> Mapping[str, float]:
        ids_BT = torch.randint(8, net.config.vocab_size, (work.prompts, work.prompt + work.reply))
        ids_BT = ids_BT.to(net.device)
        _generate(net, ids_BT, work.prompt)
        for _ in range(2):  # the reference and the reward model
            _read(net, ids_BT)
        for _ in range(work.epochs):
            for part_BT in torch.split(ids_BT, work.minibatch):
                _differentiate(net, part_BT, work.prompt)
        return {"reply_tokens": work.reply}

    return step


@torch.inference_mode()
def _generate(net: PreTrainedModel, ids_BT: torch.Tensor, prompt: int) -> None:
    """The prompts, then a token of every reply at a time."""
    cache = DynamicCache()
    net(input_ids=ids_BT[:, :prompt], cache=cache, logits_to_keep=1)
    for t in range(prompt, ids_BT.shape[1] - 1):
        net(input_ids=ids_BT[:, t : t + 1], cache=cache)


@torch.inference_mode()
def _read(net: PreTrainedModel, ids_BT: torch.Tensor) -> None:
    net.base_model(input_ids=ids_BT, use_cache=False)


def _differentiate(net: PreTrainedModel, ids_BT: torch.Tensor, prompt: int) -> None:
    """Forward, a loss on the replies' tokens, backward."""
    reply = ids_BT.shape[1] - prompt
    logits = net(input_ids=ids_BT, use_cache=False, logits_to_keep=reply + 1).logits[:, :-1]
    loss = F.cross_entropy(logits.flatten(0, 1), ids_BT[:, prompt:].flatten())
    loss.backward()  # type: ignore[no-untyped-call]
    net.zero_grad(set_to_none=True)


if __name__ == "__main__":
    serve(prepare)
