"""Can this box train this model?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.learner_memory import Case, apart
from learner import memory
from learner.memory import missing, needs, planned
from learner.settings import LearnerSettings
from learner.shape import Shape, parameters
from policy.model import load
from tests.tiny_models import make_tiny

SMOL = Shape(
    parameters=134_515_008,
    layers=30,
    hidden=576,
    inner=1536,
    queries=576,
    keys=192,
    vocabulary=49152,
    tied=True,
)


def lora(**changed: object) -> LearnerSettings:
    return LearnerSettings.model_validate({"weights": "lora", **changed})


def write_header(file: Path, shape: list[int]) -> None:
    """A safetensors header that promises a tensor; the data behind it is never read here."""
    header = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header)


def test_parameters_are_counted_from_file_headers(tmp_path: Path) -> None:
    """The same number as the loaded model's, tied embeddings once."""
    make_tiny(tmp_path, "llama", seed=0)
    assert parameters(tmp_path) == load(tmp_path).net.num_parameters()


def test_a_shape_is_read_off_the_config(tmp_path: Path) -> None:
    """Four heads of 16 over two of keys; an adapter of rank 4 has, in two layers, 4 x 1024 numbers
    (see tests/test_learner_nets.py)."""
    make_tiny(tmp_path, "llama", seed=0)
    shape = Shape.read(tmp_path)
    assert (shape.hidden, shape.queries, shape.keys, shape.tied) == (64, 64, 32, True)
    assert shape.adapter(4) == 2 * 4 * 1024


def test_full_weights_of_a_large_model_are_eight_times_themselves() -> None:
    """Of a billion weights and tiny batches, 4 GB each: four nets, two moments, what is kept to go
    back to and a copy laid out to decode make eight; the rest is small beside."""
    billion = replace(SMOL, parameters=10**9)
    found = needs(billion, LearnerSettings(device="cpu", threads=2), again=True)
    assert found.total == pytest.approx(8 * 4e9, rel=0.05)


def test_adapters_of_a_large_model_are_one_base() -> None:
    """The same with adapters: 4 GB, and under 1.7 beside, most of them activations and
    logits, which do not grow with it."""
    billion = replace(SMOL, parameters=10**9)
    found = planned(billion, lora(device="cpu", threads=2))
    assert found.parts["base"] == 4 * 10**9
    assert found.total < 5.7e9


def test_adapters_take_a_third_at_most() -> None:
    """Of 135 M weights, for 64 prompts of 20 tokens and replies of 32, of what full weights take,
    whether those keep their activations or make them again too."""
    work = {"prompts_per_step": 64, "replies_per_prompt": 1, "max_tokens": 32}
    given = {"device": "cpu", "threads": 2, "ppo": work}
    full = LearnerSettings.model_validate(given)
    adapters = planned(SMOL, lora(**given), prompt=20).total
    for again in (False, True):
        assert adapters / needs(SMOL, full, again, prompt=20).total < 0.35


def test_activations_are_made_again_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset: not where there is room, and where there is none they are; set, as it says."""
    settings = LearnerSettings(device="cpu", threads=2)
    most, least = (needs(SMOL, settings, again).total for again in (False, True))
    assert least < most
    found = []
    for free in (most, most - 1):
        monkeypatch.setattr(memory, "free_bytes", lambda _, free=free: free)
        found.append(planned(SMOL, settings).again)
    assert found == [False, True]
    assert not planned(SMOL, LearnerSettings(checkpointing="off")).again
    assert planned(SMOL, lora()).again


def test_a_critic_of_its_own_is_counted() -> None:
    """A fourth trained net, its moments and its gradient: of a billion weights 16 GB more."""
    billion = replace(SMOL, parameters=10**9)
    settings = [
        LearnerSettings.model_validate({"device": "cpu", "ppo": {"critic": critic}})
        for critic in ("reward", "own")
    ]
    head, own = (needs(billion, each, again=True).total for each in settings)
    assert own - head == pytest.approx(16e9, rel=0.05)


def test_a_tiny_model_lacks_nothing(tmp_path: Path) -> None:
    """There is memory for some thousand weights anywhere that tests run."""
    make_tiny(tmp_path, "llama", seed=0)
    assert missing(tmp_path, LearnerSettings()) is None


def test_a_model_too_big_says_what_is_missing(tmp_path: Path) -> None:
    """10^12 weights at 4 bytes, eight times, are about 29,802 GiB; by part, and what is free."""
    make_tiny(tmp_path, "llama", seed=0)
    write_header(tmp_path / "model.safetensors", [10**6, 10**6])
    text = missing(tmp_path, LearnerSettings())
    assert text is not None
    assert text.startswith("A round needs about 2980")
    assert "GiB in sampling: process 0.56, base 3725.29, other nets" in text
    assert "the model serves and rankings are recorded" in text


def test_the_estimate_is_near_what_is_measured() -> None:
    """For the built-in model within 15 %, in a process that takes a step of PPO."""
    found = apart(Case(steps=1))
    measured = max(found["reward"], found["ppo"])
    assert found["estimate"] == pytest.approx(measured, rel=0.15)
