"""Is an answer the same in company? `python -m benchmarks.exactness`.

Prompts are answered alone, and then among 8 and among 32 at a time. In float32 no answer may
differ; in bfloat16 sums depend on how many rows are computed at once, and the share that differs is
told. Log-probabilities are held against a plain forward pass.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.serving import BUILTIN
from benchmarks.streams import prompt
from policy.chat import Message
from policy.engine import Completion, Engine, Request, generate
from policy.model import Model, load
from policy.params import SamplingParams

COMPANY = (8, 32)


def main(
    model: Annotated[Path, typer.Option(help="Folder of the weights.")] = BUILTIN,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    prompts: Annotated[int, typer.Option(help="Answered each way.")] = 64,
    tokens: Annotated[int, typer.Option(help="Longest answer.")] = 64,
) -> None:
    """Print one JSON object; exits with 1 if an answer in float32 differs."""
    loaded = load(model, dtype=getattr(torch, dtype))
    loaded.net.requires_grad_(False)  # as it is served
    found = measured(loaded, prompts, tokens)
    typer.echo(json.dumps({"model": model.name, "dtype": dtype, **found}))
    if dtype == "float32" and any(found["differ"].values()):
        sys.exit(1)


def measured(model: Model, prompts: int, tokens: int) -> dict[str, Any]:
    """The share of answers that differ by how many rows ran at once, and the largest distance of a
    log-probability from the plain pass's."""
    asked = [
        Request(
            str(number),
            tuple(model.chat.encode([Message("user", prompt(4 + number % 30, number))])),
            SamplingParams(max_tokens=tokens, seed=number),
            stop_ids=model.chat.stop_ids,
        )
        for number in range(prompts)
    ]
    alone = [generate(Engine(model.net, rows=1), [one])[one.id][0] for one in asked]
    differ = {}
    for rows in COMPANY:
        among = generate(Engine(model.net, rows=rows), asked)
        other = [
            among[one.id][0].tokens != answer.tokens
            for one, answer in zip(asked, alone, strict=True)
        ]
        differ[str(rows)] = sum(other) / len(other)
    return {"differ": differ, "logp_gap": max(_gap(model, answer) for answer in alone)}


@torch.inference_mode()
def _gap(model: Model, answer: Completion) -> float:
    ids_1T = torch.tensor([answer.prompt + answer.tokens], device=model.net.device)
    logits_TV = model.net(input_ids=ids_1T, use_cache=False).logits[0, len(answer.prompt) - 1 : -1]
    logps_TV = logits_TV.float().log_softmax(-1)
    plain_T = logps_TV.gather(-1, torch.tensor(answer.tokens)[:, None])[:, 0]
    return float((plain_T - torch.tensor(answer.raw_logps)).abs().max())


if __name__ == "__main__":
    typer.run(main)
