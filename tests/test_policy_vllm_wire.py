"""What is said to vLLM, and how its answers are read."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from policy.params import SamplingParams
from policy.vllm.settings import VllmSettings
from policy.vllm.wire import Asked, BrokenStream, Drawn, body, drawn, is_raw, salt, scores, spread


def content(id: int, logp: float, *others: tuple[int, float]) -> dict[str, Any]:
    """A token as vLLM writes it: the drawn one first, then the likeliest."""
    tops = [{"token_id": other, "logprob": value} for other, value in ((id, logp), *others)]
    return {"token_id": id, "logprob": logp, "top_logprobs": tops}


def event(*contents: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    ids = [one["token_id"] for one in contents]
    logprobs = {"content": list(contents)}
    choice = {"index": 1, "finish_reason": finish, "token_ids": ids, "logprobs": logprobs}
    return {"choices": [choice]}


def test_tokens_come_with_their_likeliest_in_order() -> None:
    """4 at -1 is likelier than the drawn 7 at -2.5; 3 cannot be drawn; the last one ends it."""
    said = event(content(7, -2.5, (4, -1.0)), content(9, -0.5, (3, -9999.0)), finish="length")
    assert list(drawn(said)) == [
        Drawn(1, 7, -2.5, ((4, -1.0), (7, -2.5)), None),
        Drawn(1, 9, -0.5, ((9, -0.5),), "length"),
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"message": "EngineCore died", "code": 500}},
        event(content(7, -1.0), finish="abort"),
        event(finish="stop"),
    ],
    ids=["an error", "an abort", "an end without its token"],
)
def test_what_is_no_answer_is_an_error(said: dict[str, Any]) -> None:
    with pytest.raises(BrokenStream):
        list(drawn(said))


def test_scores_are_those_of_the_tokens_and_the_likeliest() -> None:
    """Of 5, 6, 7: the first has none; 6 was second to 8, 7 was the likeliest itself."""
    places = [
        None,
        {"6": {"logprob": -2.0}, "8": {"logprob": -1.0}},
        {"7": {"logprob": -0.5}, "9": {"logprob": -3.0}},
    ]
    found = scores({"prompt_logprobs": places}, (5, 6, 7), 1)
    assert found.logps == (-2.0, -0.5)
    assert found.tops == (((8, -1.0),), ((7, -0.5),))


@pytest.mark.parametrize(
    ("how", "raw"),
    [
        ({}, True),
        ({"temperature": 0.0, "top_p": 0.5}, True),
        ({"temperature": 0.5}, False),
        ({"top_k": 5}, False),
        ({"temperature": 0.0, "presence_penalty": 1.0}, False),
        ({"min_tokens": 3}, False),
    ],
)
def test_what_is_drawn_from_the_models_own_distribution(how: dict[str, Any], raw: bool) -> None:
    """A greedy answer cuts nothing that matters; whatever is shaped or tempered is another's."""
    assert is_raw(SamplingParams(**how), frozenset({2})) is raw


def test_without_an_end_none_is_held_back() -> None:
    """A least length shapes nothing where no token would end the answer."""
    assert is_raw(SamplingParams(min_tokens=3), frozenset())


def test_seeds_lie_far_apart_and_fit() -> None:
    """vLLM adds an answer's index: no two requests' seeds lie within 1,000 of each other."""
    seeds = sorted(spread(seed) for seed in (*range(2000), -1, 2**63 - 1, -(2**63)))
    assert seeds[0] >= 0
    assert seeds[-1] < 2**62
    assert min(b - a for a, b in pairwise(seeds)) > 1000


def test_a_salt_is_one_that_vllm_takes() -> None:
    """At most 128 characters, none of them an `@` or a slash, whatever people are called."""
    ours, theirs = salt("ada@example.com"), salt("a/b" * 100)
    assert ours != theirs
    assert all(found.isalnum() and len(found) <= 128 for found in (ours, theirs))


def test_one_more_of_the_likeliest_is_asked_for() -> None:
    """vLLM counts the drawn token among them; without any wanted there is only that one."""

    def asked(top: int) -> int:
        params = SamplingParams(top_logprobs=top)
        one = Asked("m", (1,), params, n=1, stop_ids=frozenset({2}), share="p")
        return int(body(one, stream=True)["sampling_params"]["logprobs"])

    assert (asked(0), asked(3)) == (0, 4)


@pytest.mark.parametrize(
    ("set", "problem"),
    [
        ({"urls": "localhost:8000"}, "no address"),
        ({"urls": "http://a,http://a"}, "named once"),
        ({"command": "serve {folder} --port {port}"}, "{name}"),
    ],
)
def test_settings_that_cannot_be(set: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        VllmSettings.model_validate(set)


def test_urls_come_with_commas_from_a_variable() -> None:
    settings = VllmSettings.model_validate({"urls": "http://a:1, http://b:2/"})
    assert settings.urls == ("http://a:1", "http://b:2")
