"""TRL's PPO as a side of the comparison; run by a Python that has `trl` 1.12.0, the last with PPO.

It has four models (policy, reference, reward, value) and trains two of them. Imports of Rankloop's
own would need its dependencies there: none but the protocol's.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TrainerCallback,
)
from trl.experimental.ppo import PPOConfig, PPOTrainer

sys.path.insert(0, str(Path(__file__).parent))
from learning_side import Work, peak_mib, say


class InTurn(TrainerCallback):
    """Waits to be told before each step, and says what it took."""

    def __init__(self, reply: int) -> None:
        self.began = 0.0
        self.reply = reply

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        say({})
        self._wait()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        seconds = time.perf_counter() - self.began
        say({"seconds": seconds, "peak_mib": peak_mib(), "reply_tokens": self.reply})
        self._wait()

    def _wait(self) -> None:
        sys.stdin.readline()
        self.began = time.perf_counter()


def main(work: Work) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(work.threads)
    tokenizer = AutoTokenizer.from_pretrained(work.model, padding_side="left")
    policy, reference = (
        AutoModelForCausalLM.from_pretrained(work.model, dtype=torch.float32) for _ in range(2)
    )
    reward, value = (
        AutoModelForSequenceClassification.from_pretrained(
            work.model, num_labels=1, dtype=torch.float32
        )
        for _ in range(2)
    )
    trainer = PPOTrainer(
        args=settings_of(work),
        processing_class=tokenizer,
        model=policy,
        ref_model=reference,
        reward_model=reward,
        value_model=value,
        train_dataset=prompts_of(work, len(tokenizer)),
        callbacks=[InTurn(work.reply)],
    )
    trainer.train()


def settings_of(work: Work) -> Any:
    """Its defaults but for the work and for what it would write."""
    return PPOConfig(
        output_dir=tempfile.mkdtemp(),
        total_episodes=work.prompts * (work.steps + 1),
        per_device_train_batch_size=work.prompts,
        num_mini_batches=work.prompts // work.minibatch,
        num_ppo_epochs=work.epochs,
        local_rollout_forward_batch_size=work.prompts,
        response_length=work.reply,
        temperature=1.0,
        learning_rate=1e-6,
        num_sample_generations=0,
        save_strategy="no",
        report_to=[],
        use_cpu=work.device == "cpu",
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
    )


def prompts_of(work: Work, vocabulary: int) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    shape = (work.prompts * (work.steps + 1), work.prompt)
    return Dataset.from_dict(
        {"input_ids": torch.randint(8, vocabulary, shape, generator=generator).tolist()}
    )


if __name__ == "__main__":
    import json

    given: Mapping[str, Any] = json.loads(sys.argv[1])
    main(Work(**given))
