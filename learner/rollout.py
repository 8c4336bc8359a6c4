"""Fresh replies of a policy to prompts, by the same engine that serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from learner import ranks
from learner.parallel import at_once, halved, joined
from learner.ranks import sharding
from policy.engine import Completion, Engine, Request, generate
from policy.model import Model
from policy.params import SamplingParams

Prompt = tuple[int, ...]
Draw = Callable[[Model, Sequence[Prompt], "Sampling"], list[list[Completion]]]
"""What draws so many replies to each prompt, in the prompts' order."""


@dataclass(frozen=True)
class Sampling:
    """How replies are drawn: `temperature` 0 is greedy; `max_tokens` bounds a reply."""

    temperature: float
    max_tokens: int
    seed: int
    replies: int = 1


def roll_out(model: Model, prompts: Sequence[Prompt], how: Sampling) -> list[list[Completion]]:
    """`how.replies` replies to each prompt, in the prompts' order, each drawn with numbers of its
    own: it does not matter which rank draws it.

    Engines are new each time: the weights may have moved since the last, and a cache with them.
    """
    requests = [request_of(model, i, prompt, how) for i, prompt in enumerate(prompts)]

    def run(part: Sequence[Request]) -> list[list[Completion]]:
        rows = min(max(64, how.replies), len(part) * how.replies)
        longest = max(len(request.prompt) for request in part) + how.max_tokens
        net, positions = sharding.standing(model.net), rows * longest
        engine = Engine(net, rows=rows, context=model.context, positions=positions, prefill=4096)
        done = generate(engine, part)
        return [done[request.id] for request in part]

    with sharding.gathered(model.net):
        return ranks.shared_out(lambda own: joined(at_once(run, halved(own))), requests)


def request_of(model: Model, i: int, prompt: Prompt, how: Sampling) -> Request:
    """How the engine is asked for the replies to the prompt at place `i`."""
    params = SamplingParams(
        temperature=how.temperature, max_tokens=how.max_tokens, seed=how.seed * 1_000_003 + i
    )
    return Request(str(i), prompt, params, n=how.replies, stop_ids=model.chat.stop_ids)
