"""What is said to vLLM, and what it says: bodies of `/inference/v1/generate`, tokens in and out.

1. Its engines run with `--logprobs-mode processed_logprobs`: a token's log-probability is as drawn.
   Of a prompt's tokens it is the raw model's in any mode, so that a second request scores what was
   drawn from another distribution than the model's own.
2. vLLM seeds the answers of one request by seed, seed + 1, ...; requests' seeds are spread out
   first, or one's second answer would be the next one's first.
3. No stop strings and no text: those are ours.

It knows no HTTP.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policy.params import SamplingParams
from policy.requests import Scores, Top

NO_NUMBER = -9999.0
"""What vLLM writes for a log-probability of minus infinity, and for one that is no number."""
_WORD = 1 << 64


class BrokenStream(ValueError):
    """What an engine wrote is no answer; the text says what it is."""


@dataclass(frozen=True)
class Asked:
    """`n` answers to one prompt, as `policy.requests.Request` has it; `model` is the version's name
    on the engine. `together`: how many tokens may come at a time, after the first."""

    model: str
    prompt: tuple[int, ...]
    params: SamplingParams
    n: int
    stop_ids: frozenset[int]
    share: str
    together: int = 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """A token of the answer `index`. `logp` is that of the distribution it was drawn from, or where
    greedy the shaped one's; `likely` the likeliest of the same. `finish`: stop or length, on an
    answer's last token."""

    index: int
    id: int
    logp: float
    likely: Top
    finish: str | None


def is_raw(params: SamplingParams, stop_ids: frozenset[int]) -> bool:
    """Whether what the engine draws from, or for a greedy answer takes the likeliest of, is the
    model's own distribution."""
    held_back = params.min_tokens > 0 and bool(stop_ids)
    if params.penalises or params.logit_bias or held_back:
        return False
    cuts = params.top_p < 1 or params.top_k or params.min_p
    return params.temperature == 0 or (params.temperature == 1 and not cuts)


def body(asked: Asked, *, stream: bool) -> dict[str, Any]:
    """The request for the answers."""
    params = asked.params
    return {
        "model": asked.model,
        "token_ids": asked.prompt,
        "cache_salt": salt(asked.share),
        "stream": stream,
        "sampling_params": {
            "n": asked.n,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "top_k": params.top_k,
            "min_p": params.min_p,
            "presence_penalty": params.presence_penalty,
            "frequency_penalty": params.frequency_penalty,
            "repetition_penalty": params.repetition_penalty,
            "logit_bias": {str(id): value for id, value in params.logit_bias} or None,
            "min_tokens": params.min_tokens,
            "max_tokens": params.max_tokens,
            "seed": spread(params.seed),
            "stop_token_ids": sorted(asked.stop_ids),
            "ignore_eos": True,  # the model's own end is among the stop ids, where it is wanted
            "logprobs": _asked_for(max(params.top_logprobs, params.odds)),
            "detokenize": False,
            "stream_interval": asked.together,
        },
    }


def _asked_for(top: int) -> int:
    """vLLM counts the drawn token among the likeliest, whatever it is worth."""
    return top + 1 if top else 0


def scoring_body(model: str, tokens: Sequence[int], top: int) -> dict[str, Any]:
    """The request for the raw log-probabilities of these tokens. The one token that has to be drawn
    with it is nobody's. Nothing is read from a cache by it or left there: it has a salt of its
    own."""
    return {
        "model": model,
        "token_ids": tokens,
        "sampling_params": {
            "max_tokens": 1,
            "temperature": 0.0,
            "prompt_logprobs": top,
            "detokenize": False,
        },
    }


def salt(share: str) -> str:
    """Tells those apart who share what was computed. A name as it is may hold an `@`, which vLLM
    refuses here, and is nobody's business."""
    return hashlib.sha256(share.encode()).hexdigest()


def spread(seed: int) -> int:
    """SplitMix64's finaliser, to 62 bits, so that adding an answer's index stays within 63."""
    z = (seed + 0x9E3779B97F4A7C15) % _WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % _WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % _WORD
    return (z ^ (z >> 31)) >> 2


def drawn(event: Mapping[str, Any]) -> Iterator[Drawn]:
    """The tokens of one event of a stream, or of a whole answer. Raises BrokenStream where it tells
    of an error."""
    if "choices" not in event:
        raise BrokenStream(json.dumps(event)[:300])
    for choice in event["choices"]:
        finish = choice["finish_reason"]
        if finish not in (None, "stop", "length"):
            raise BrokenStream(f"an answer ended by {finish!r}")
        ids = choice["token_ids"] or ()
        contents = (choice["logprobs"] or {}).get("content") or ()
        if len(ids) != len(contents) or (finish and not ids):
            raise BrokenStream(f"{len(ids)} tokens with {len(contents)} log-probabilities")
        for place, (id, content) in enumerate(zip(ids, contents, strict=True), 1):
            last = finish if place == len(ids) else None
            yield Drawn(choice["index"], id, content["logprob"], _likely(content), last)


def _likely(content: Mapping[str, Any]) -> Top:
    """The drawn token comes first whatever it is worth, and again in its place only if it is among
    the likeliest: so they are put in order."""
    found = {one["token_id"]: one["logprob"] for one in content["top_logprobs"]}
    pairs = sorted(found.items(), key=lambda pair: -pair[1])
    return tuple(pair for pair in pairs if pair[1] > NO_NUMBER)


def scores(answer: Mapping[str, Any], tokens: Sequence[int], top: int) -> Scores:
    """Of a scoring request's answer: the tokens' raw log-probabilities, less the first one's, and
    the `top` likeliest in each one's place."""
    places = answer["prompt_logprobs"][1:]
    if len(places) != len(tokens) - 1:
        raise BrokenStream(f"{len(places)} scores for {len(tokens)} tokens")
    rows = [{int(id): one["logprob"] for id, one in place.items()} for place in places]
    logps = tuple(row[token] for row, token in zip(rows, tokens[1:], strict=True))
    ranked = (sorted(row.items(), key=lambda pair: -pair[1]) for row in rows)
    return Scores(logps, tuple(tuple(row[:top]) for row in ranked))
