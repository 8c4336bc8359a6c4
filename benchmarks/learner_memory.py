"""How much memory training takes, and how near the estimate comes: `python -m
benchmarks.learner_memory`, or `--short` for the built-in model alone, `--device cuda:0` on a GPU.

Each case is a process of its own, which trains both reward models on a few rankings and then takes
PPO steps, with all of a round's nets in memory: policy, reference, reward model with the critic,
judge, and the weights that are kept to go back to. Prompts and rankings are random tokens; so are
the weights of the larger shape, since numbers do not change memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.memory import held_bytes, peak_bytes, start_peak

RATE = 1e-6
"""Small: random weights under a random reward would soon be stopped by PPO's guards."""


class Enough(Exception):
    """The reward models' optimisers hold all that they will."""


def after_two_steps(step: int, *_: object) -> None:
    """A report that ends the training."""
    if step == 2:
        raise Enough


@dataclass(frozen=True)
class Case:
    """What is trained, how, and on how much."""

    shape: str = "builtin"
    weights: str = "full"
    checkpointing: str = "auto"
    steps: int = 2
    prompts: int = 64
    replies: int = 1
    prompt_tokens: int = 20
    reply_tokens: int = 32
    rankings: int = 8
    device: str = "cpu"


CASES = (
    Case("builtin", "full"),
    Case("smollm2-135m", "full"),
    Case("smollm2-135m", "full", checkpointing="on"),
    Case("smollm2-135m", "lora"),
)
SHAPES: dict[str, dict[str, Any]] = {
    "smollm2-135m": {
        "num_hidden_layers": 30,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "vocab_size": 49152,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
    }
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="the built-in model, one step")
    parser.add_argument("--case", help="one case as JSON, measured in this process")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measured(Case(**json.loads(given.case)))), flush=True)  # noqa: T201
        return
    for case in (Case(steps=1),) if given.short else CASES:
        with tempfile.TemporaryDirectory() as folder:
            shape = made(case.shape, Path(folder))
            here = replace(case, shape=shape, device=given.device)
            print(json.dumps(asdict(case) | apart(here)), flush=True)  # noqa: T201


def apart(case: Case) -> dict[str, float]:
    """The case's figures, from a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.learner_memory",
        "--case",
        json.dumps(asdict(case)),
    ]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def measured(case: Case) -> dict[str, float]:
    """Peaks by phase, in MiB."""
    from learner.parallel import use_threads

    use_threads((os.cpu_count() or 1) if case.device == "cpu" else 1)
    with tempfile.TemporaryDirectory() as folder:
        return Training(case, Path(folder)).run()


class Training:
    """A round's nets, on random tokens."""

    def __init__(self, case: Case, folder: Path) -> None:
        from learner.nets import Nets
        from learner.settings import LearnerSettings
        from policy.versions import Versions

        self.case = case
        self.rng = random.Random(0)
        versions = Versions(folder / "versions")
        versions.install_base(case.shape)
        self.settings = LearnerSettings.model_validate(
            {
                "weights": case.weights,
                "checkpointing": case.checkpointing,
                "device": case.device,
                "reward": {"learning_rate": RATE},
                "ppo": {
                    "learning_rate": RATE,
                    "steps": case.steps,
                    "prompts_per_step": case.prompts,
                    "replies_per_prompt": case.replies,
                    "max_tokens": case.reply_tokens,
                },
            }
        )
        self.nets = Nets(versions, self.settings, case.device)

    def run(self) -> dict[str, float]:
        from learner.memory import planned
        from learner.shape import Shape

        shape = Shape.read(self.nets.versions.folder("v0"))
        needs = planned(shape, self.settings, self.case.prompt_tokens)
        found = {"start": held_bytes(self.case.device) / 2**20, "estimate": needs.total / 2**20}
        sys.stderr.write(f"needs {needs.text}\n")
        policy = self.nets.policy("v0", 0)
        start_peak(self.case.device)
        reward, judge = self.reward_models()
        found["reward"] = peak_bytes(self.case.device) / 2**20
        start_peak(self.case.device)
        self.steps(policy, reward)
        found["ppo"] = peak_bytes(self.case.device) / 2**20
        assert judge.mean == 0.0, "the judge is there to the end"
        return found

    def reward_models(self) -> tuple[Any, Any]:
        """Both, trained at once as in a round."""
        from learner.parallel import at_once
        from learner.ranked_group import RankedGroup
        from learner.reward import train

        def ranking(number: int) -> RankedGroup:
            return RankedGroup(str(number), self.group(4), (1, 2, 3, 4), ("a", "b", "c", "d"))

        sides = [[ranking(i) for i in range(self.case.rankings)] for _ in range(2)]
        models = [self.nets.reward("v0", seed) for seed in (1, 2)]

        def fit(pair: tuple[Any, Any]) -> None:
            with suppress(Enough):
                train(*pair, self.settings.reward, 0, after_two_steps)

        at_once(fit, list(zip(models, sides, strict=True)))
        return models[0], models[1]

    def steps(self, policy: Any, reward: Any) -> None:
        """PPO's, with the weights that a round would go back to."""
        from learner.ppo import PPO
        from learner.rewarder import Rewarder
        from learner.weights import copied

        kept = copied(policy.net)
        replay = [self.group(1) for _ in range(16)]
        ppo = PPO(
            policy,
            self.nets.base.net,
            Rewarder(reward),
            lambda count: self.rng.choices(replay, k=count),
            self.settings.ppo,
            0,
        )
        for _ in range(self.case.steps):
            metrics = ppo.step(
                [self.tokens(self.case.prompt_tokens) for _ in range(self.case.prompts)]
            )
        assert metrics["skipped"] == 0
        assert kept

    def group(self, replies: int) -> Any:
        from learner.batching import Group

        answers = [self.tokens(self.case.reply_tokens) for _ in range(replies)]
        return Group(self.tokens(self.case.prompt_tokens), tuple(answers))

    def tokens(self, count: int) -> tuple[int, ...]:
        return tuple(self.rng.randrange(10, 300) for _ in range(count))


def made(shape: str, folder: Path) -> str:
    """The name of a model of this shape, written if it is none that comes along."""
    if shape not in SHAPES:
        return shape
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from policy.source import resolve

    target = folder / "model"
    LlamaForCausalLM(LlamaConfig(**SHAPES[shape], eos_token_id=2, pad_token_id=0)).save_pretrained(
        target
    )
    AutoTokenizer.from_pretrained(resolve("builtin")).save_pretrained(target)
    return str(target)


if __name__ == "__main__":
    main()
