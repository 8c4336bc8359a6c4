"""Answers drawn by vLLM: their tokens, log-probabilities and ends are what the record says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import torch

from benchmarks.vllm_engines import Engine
from feedback.records import StoredCandidate
from policy.model import Model
from policy.params import SamplingParams
from policy.sampling import cut, stack
from tests.server_running import Running, chat_body, eventually
from tests.test_server_residence import rescored

pytestmark = pytest.mark.vllm
NEAR = 1e-3

DRAWN: dict[str, dict[str, Any]] = {
    "plainly": {},
    "cold": {"temperature": 0.5},
    "hot": {"temperature": 1.7},
    "from the likeliest": {"top_k": 7},
    "from a nucleus": {"top_p": 0.8, "temperature": 0.9},
    "above a share": {"min_p": 0.1, "temperature": 1.3},
}


def stored(server: Running, answer: httpx.Response) -> list[StoredCandidate]:
    assert answer.status_code == 200, answer.text
    return [server.store.candidate(id) for id in answer.json()["rankloop"]["candidates"]]


@pytest.fixture(scope="module")
def v0(server: Running) -> Model:
    return server.versions.load("v0")


def as_drawn(model: Model, candidate: StoredCandidate, params: SamplingParams) -> torch.Tensor:
    """Log-probabilities [T] of the stored tokens by our own pass and our own sampler's cuts."""
    ids = torch.tensor([candidate.prompt_ids + candidate.token_ids])
    with torch.inference_mode():
        logits_TV = model.net(input_ids=ids).logits[0, len(candidate.prompt_ids) - 1 : -1].float()
    stacked = stack([params] * len(logits_TV), torch.device("cpu"))
    logps_TV = cut((logits_TV / params.temperature).log_softmax(-1), stacked).log_softmax(-1)
    return logps_TV.gather(-1, torch.tensor(candidate.token_ids)[:, None])[:, 0]


@pytest.mark.parametrize("how", DRAWN.values(), ids=DRAWN)
def test_log_probabilities_are_those_of_our_own_pass(
    server: Running, v0: Model, how: dict[str, Any]
) -> None:
    """Both kinds, to 1e-3: as drawn, and the raw model's."""
    for candidate in stored(server, server.chat(n=3, seed=5, max_tokens=24, **how)):
        _, raw = rescored(v0, candidate)
        torch.testing.assert_close(torch.tensor(candidate.raw_logps), raw, atol=NEAR, rtol=0)
        known = SamplingParams(**how)
        drawn = as_drawn(v0, candidate, known)
        torch.testing.assert_close(torch.tensor(candidate.logps), drawn, atol=NEAR, rtol=0)


def test_a_greedy_answer_is_the_likeliest(server: Running, v0: Model) -> None:
    """Each token is our own pass's likeliest, as drawn it is certain, and raw it is what it is."""
    (candidate,) = stored(server, server.chat(temperature=0, max_tokens=24))
    ids = torch.tensor([candidate.prompt_ids + candidate.token_ids])
    with torch.inference_mode():
        best = v0.net(input_ids=ids).logits[0, len(candidate.prompt_ids) - 1 : -1].argmax(-1)
    assert tuple(best.tolist()) == candidate.token_ids
    assert set(candidate.logps) == {0.0}


def test_penalties_and_biases_shape_what_is_drawn(server: Running, v0: Model) -> None:
    """A token lifted by 100 is all that is said, surely; raw, it is as unlikely as it is."""
    answer = server.chat(logit_bias={"50": 100}, frequency_penalty=0.5, max_tokens=5)
    (candidate,) = stored(server, answer)
    assert candidate.token_ids == (50,) * 5
    assert max(map(abs, candidate.logps)) < NEAR
    ids = torch.tensor([candidate.prompt_ids + candidate.token_ids])
    with torch.inference_mode():
        logits_TV = v0.net(input_ids=ids).logits[0, len(candidate.prompt_ids) - 1 : -1]
    raw = logits_TV.log_softmax(-1)[:, 50]
    torch.testing.assert_close(torch.tensor(candidate.raw_logps), raw, atol=NEAR, rtol=0)


def test_a_seed_says_the_same_again_and_each_answer_its_own(server: Running) -> None:
    """The second answer of seed 5 is not the first of seed 6 either."""
    first, again, next_one = (
        [candidate.token_ids for candidate in stored(server, server.chat(n=2, seed=seed))]
        for seed in (5, 5, 6)
    )
    assert first == again
    assert len({*first, *next_one}) == 4


def test_a_stream_says_what_the_whole_answer_says(server: Running) -> None:
    """Text, ends and log-probabilities, of a cold answer whose raw ones need a second reading."""
    body = chat_body(seed=3, n=2, temperature=0.7, logprobs=True, top_logprobs=3)
    whole = server.http.post("/v1/chat/completions", json=body).json()
    texts, logprobs, ends = ["", ""], [list[Any](), list[Any]()], ["", ""]
    for chunk in frames(server, {**body, "stream": True}):
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["delta"].get("content") or ""
            logprobs[choice["index"]] += (choice["logprobs"] or {}).get("content") or []
            ends[choice["index"]] = choice["finish_reason"] or ends[choice["index"]]
    for index, choice in enumerate(whole["choices"]):
        assert texts[index] == choice["message"]["content"]
        assert ends[index] == choice["finish_reason"]
        told = choice["logprobs"]["content"]
        shown = [(one["token"], one["logprob"]) for one in logprobs[index]]
        assert [token for token, _ in shown] == [one["token"] for one in told]
        assert [logp for _, logp in shown] == pytest.approx([one["logprob"] for one in told])


def test_likeliest_tokens_are_the_raw_models(server: Running, v0: Model) -> None:
    """Three in each place, though the answer is drawn at half the temperature."""
    answer = server.chat(seed=3, temperature=0.5, logprobs=True, top_logprobs=3)
    (candidate,) = stored(server, answer)
    ids = torch.tensor([candidate.prompt_ids + candidate.token_ids])
    with torch.inference_mode():
        logits_TV = v0.net(input_ids=ids).logits[0, len(candidate.prompt_ids) - 1 : -1]
    best = logits_TV.log_softmax(-1).topk(3).values
    told = [
        [top["logprob"] for top in one["top_logprobs"]]
        for one in answer.json()["choices"][0]["logprobs"]["content"]
    ]
    torch.testing.assert_close(torch.tensor(told), best[: len(told)], atol=NEAR, rtol=0)


def test_a_stop_string_ends_an_answer(server: Running) -> None:
    """Nothing of it is shown, and the answer beside goes on."""
    texts = [choice["message"]["content"] for choice in server.chat(n=2, seed=8).json()["choices"]]
    stop = texts[0][2:4]
    choices = server.chat(n=2, seed=8, stop=[stop]).json()["choices"]
    for text, choice in zip(texts, choices, strict=True):
        assert choice["message"]["content"] == text.partition(stop)[0]
        assert choice["finish_reason"] == ("stop" if stop in text else choice["finish_reason"])


def test_people_may_be_called_anything(server: Running) -> None:
    """A mail address, or a long name, which vLLM takes for none of its salts."""
    for user in ("ada@example.com", "a/b\\" * 60):
        assert server.chat(user=user).status_code == 200


def test_a_prompt_is_scored(server: Running, v0: Model) -> None:
    """`echo` with `logprobs`: the prompt's tokens by our own pass, the first one left out."""
    body = {"model": "rankloop", "prompt": [7, 30, 31, 32], "echo": True, "logprobs": 2}
    answer = server.http.post("/v1/completions", json={**body, "max_tokens": 0}).json()
    told = answer["choices"][0]["logprobs"]["token_logprobs"]
    with torch.inference_mode():
        logps_TV = v0.net(input_ids=torch.tensor([[7, 30, 31, 32]])).logits[0].log_softmax(-1)
    assert told[0] is None
    assert told[1:] == pytest.approx(
        [logps_TV[i, id].item() for i, id in enumerate((30, 31, 32))], abs=NEAR
    )


def test_a_draw_is_made_again(server: Running) -> None:
    """The likeliest tokens that a token was drawn from hold it, at its own log-probability."""
    (candidate,) = stored(server, server.chat(seed=4, top_k=5, temperature=0.9))
    answer = server.http.get(f"/v1/candidates/{candidate.id}/tokens/2?top=5").json()
    odds = {one["token"]: one["logprob"] for one in answer["odds"]}
    assert len(odds) == 5
    assert odds[candidate.token_ids[2]] == pytest.approx(candidate.logps[2], abs=NEAR)


def test_nobody_is_written_for_who_has_left(server: Running, fleet: Sequence[Engine]) -> None:
    """The engines stop when the client of a stream goes."""
    body = chat_body(stream=True, max_tokens=200, ignore_eos=True)
    with server.http.stream("POST", "/v1/chat/completions", json=body) as stream:
        next(stream.iter_lines())
    eventually(lambda: server.serving.worker.jobs == 0)
    eventually(lambda: all(running_on(engine) == 0 for engine in fleet))


def running_on(engine: Engine) -> float:
    lines = httpx.get(f"{engine.url}/metrics", timeout=30, trust_env=False).text.splitlines()
    counts = [line for line in lines if line.startswith("vllm:num_requests_running")]
    return sum(float(line.rpartition(" ")[2]) for line in counts)


def frames(server: Running, body: dict[str, Any]) -> list[dict[str, Any]]:
    with server.http.stream("POST", "/v1/chat/completions", json=body) as stream:
        lines = [line for line in stream.iter_lines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
