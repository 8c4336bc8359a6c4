"""Trains the built-in model from a seed: `python -m policy.builtin.train --seed 1`.

It takes about 40 minutes on two cores without AVX-512; the most of it is arithmetic.

1. The tokenizer is learned from the generator's text, then the model from its conversations.
2. Only the assistant's turns are learned; a prompt is context. The first third of the steps sees
   brief replies alone: there most of what is learned is the answer, not the manner. The words that
   answer weigh three times as much, but for the last third, which learns the true frequencies.
3. Muon for the layers' matrices (Jordan et al. 2024; after 200 steps the loss was 1.8 where AdamW
   had 3.0), AdamW for embeddings and norms; warm-up, then a cosine to zero; float32; no dropout and
   no averaging, since hardly a conversation is seen twice, and brief ones three times.
4. The logits are sharpened at the end: a model this small and this briefly trained leaves too much
   to unlikely tokens, and one slip spoils a reply.
5. The folder is written beside the old one and takes its place at the end, so that there is always
   one to load.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from policy.builtin import corpus
from policy.builtin.generator import examples
from policy.builtin.muon import Muon
from policy.builtin.tokenizer import VOCABULARY, train_tokenizer

WEIGHTS = Path(__file__).with_name("weights")


@dataclass(frozen=True)
class Recipe:
    """Everything that the weights depend on."""

    seed: int = 1
    conversations: int = 100_000  # a third as many again are brief ones
    steps: int = 2400
    brief_share: float = 0.3  # of the steps, at the beginning
    answer_weight: float = 3.0  # of the words that answer, against those that carry the manner
    weighted_share: float = 0.7  # of the steps; the rest sets the frequencies right
    batch_tokens: int = 4096
    muon_rate: float = 0.025
    learning_rate: float = 4e-3
    warm_up: float = 0.02
    weight_decay: float = 0.05
    vocabulary: int = VOCABULARY
    hidden: int = 256
    inner: int = 512
    layers: int = 4
    heads: int = 4
    sharpness: float = 1.4  # temperature 1 of the shipped model is 1 / 1.4 of the trained one
    threads: int = 2


def build(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A fresh Llama with tied embeddings."""
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=recipe.vocabulary,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.inner,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    net = LlamaForCausalLM(config)
    net.set_attn_implementation("eager")  # on rows this short it takes half of SDPA's time
    return net


def train(recipe: Recipe) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast, dict[str, float]]:
    """The trained model, its tokenizer and what the training came to."""
    torch.set_num_threads(recipe.threads)
    began = time.monotonic()
    texts = (
        message.content
        for example in islice(examples(recipe.seed), 20_000)
        for message in example.messages
    )
    tokenizer = train_tokenizer(texts, recipe.vocabulary)
    brief = _rows(recipe, recipe.conversations // 3, tokenizer, brief=True)
    full = _rows(recipe, recipe.conversations, tokenizer, brief=False)
    tokens = sum(len(row.ids) for row in (*brief, *full))
    seconds = time.monotonic() - began
    _say(f"{len(brief) + len(full)} conversations, {tokens / 1e6:.1f} M tokens, in {seconds:.0f} s")
    net = build(recipe, tokenizer)
    figures = _fit(net, _batches(brief, full, corpus.pad_id(tokenizer), recipe), recipe)
    return net, tokenizer, {"parameters": net.num_parameters(), "corpus_tokens": tokens, **figures}


def _rows(
    recipe: Recipe, count: int, tokenizer: PreTrainedTokenizerFast, *, brief: bool
) -> list[corpus.Row]:
    """`count` conversations, written by as many processes as there are threads."""
    shards = range(recipe.threads)
    write = partial(corpus.rows, count=count // len(shards), tokenizer=tokenizer, brief=brief)
    with ProcessPoolExecutor(len(shards)) as pool:
        found = pool.map(write, [recipe.seed * 1000 + shard for shard in shards])
        return [row for rows in found for row in rows]


def _batches(
    brief: list[corpus.Row], full: list[corpus.Row], pad: int, recipe: Recipe
) -> Iterator[corpus.Batch]:
    """All steps' batches, the brief ones first."""
    first = round(recipe.steps * recipe.brief_share)
    yield from islice(_endless(brief, pad, recipe), first)
    yield from islice(_endless(full, pad, recipe), recipe.steps - first)


def _fit(
    net: LlamaForCausalLM, batches: Iterator[corpus.Batch], recipe: Recipe
) -> dict[str, float]:
    optimizers = _optimizers(net, recipe)
    began, seen, running = time.monotonic(), 0, math.nan
    for step, batch in enumerate(batches):
        share = step / recipe.steps
        weight = recipe.answer_weight if share < recipe.weighted_share else 1.0
        loss = step_loss(net, batch, weight)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * _schedule(share, recipe.warm_up)
            optimizer.step()
            optimizer.zero_grad()
        seen += batch.ids_BT.numel()
        running = loss.item() if math.isnan(running) else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 49:
            _progress(step + 1, (step + 1) / recipe.steps, running, seen, time.monotonic() - began)
    sharpen(net, recipe.sharpness)
    return {"tokens": seen, "loss": round(running, 4), "train_s": round(time.monotonic() - began)}


def _optimizers(net: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for the embeddings and norms."""
    matrices = [weight for weight in net.model.layers.parameters() if weight.ndim == 2]
    others = [
        weight
        for name, weight in net.named_parameters()
        if weight.ndim == 1 or "layers" not in name
    ]
    found = [
        Muon(matrices, recipe.muon_rate, weight_decay=recipe.weight_decay),
        torch.optim.AdamW(
            others, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        ),
    ]
    for optimizer in found:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return found


def step_loss(net: LlamaForCausalLM, batch: corpus.Batch, answer_weight: float) -> torch.Tensor:
    """Weighted mean cross-entropy over learned tokens; logits are computed for those alone."""
    learned_BT = batch.labels_BT[:, 1:] != corpus.IGNORED
    hidden_BTD = net.model(input_ids=batch.ids_BT, use_cache=False).last_hidden_state
    logits_NV = net.lm_head(hidden_BTD[:, :-1][learned_BT])
    labels_N, answers_N = batch.labels_BT[:, 1:][learned_BT], batch.answers_BT[:, 1:][learned_BT]
    losses_N = cross_entropy(logits_NV, labels_N, reduction="none")
    weights_N = torch.where(answers_N, answer_weight, 1.0)
    return (losses_N * weights_N).sum() / weights_N.sum()


def sharpen(net: LlamaForCausalLM, factor: float) -> None:
    """All logits times `factor`: sampled replies keep their variety and lose most slips."""
    with torch.no_grad():
        net.model.norm.weight.mul_(factor)


def _endless(rows: list[corpus.Row], pad: int, recipe: Recipe) -> Iterator[corpus.Batch]:
    for epoch in count():
        yield from corpus.batches(rows, recipe.batch_tokens, pad, recipe.seed * 1000 + epoch)


def _schedule(share: float, warm_up: float) -> float:
    """Linear warm-up, then a cosine to zero."""
    if share < warm_up:
        return share / warm_up
    return 0.5 * (1 + math.cos(math.pi * (share - warm_up) / (1 - warm_up)))


def save(
    net: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    record: dict[str, object],
) -> None:
    """Writes the model folder in bfloat16 beside `folder`, then puts it in its place."""
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    net.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True,
        temperature=1.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=128,
    )
    module: torch.nn.Module = net  # the model's own `to` is typed wrongly
    module.to(torch.bfloat16)
    net.save_pretrained(beside)
    tokenizer.save_pretrained(beside)
    (beside / "train.json").write_text(json.dumps(record, indent=2) + "\n")
    old = folder.with_name(folder.name + ".old")
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _progress(step: int, share: float, loss: float, tokens: int, seconds: float) -> None:
    left = seconds * (1 - share) / share / 60
    speed = f"{tokens / seconds / 1e3:.1f} k tokens/s"
    _say(f"step {step}  {share:5.1%}  loss {loss:.3f}  {speed}  {left:.1f} min left")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """The command."""
    defaults = Recipe()
    parser = argparse.ArgumentParser(description="Train the built-in model from a seed.")
    parser.add_argument(
        "--out", type=Path, default=WEIGHTS, help="folder to write (default: the shipped weights)"
    )
    for name, value in asdict(defaults).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args())
    out = options.pop("out")
    recipe = Recipe(**options)
    net, tokenizer, figures = train(recipe)
    save(
        net,
        tokenizer,
        out,
        {"recipe": asdict(recipe), "figures": figures, "torch": torch.__version__},
    )
    _say(f"written to {out}")


if __name__ == "__main__":
    main()
