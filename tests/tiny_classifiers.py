"""A tiny BERT-shaped text classifier in a Hugging Face folder, trained to know one word."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

WORDS = "hello fine thank you capital france paris opposite hot cold monday red green blue".split()
WORD = "paris"
"""What its label `names` says: the text, or the second one of a pair, holds this word."""

LABELS = {0: "other", 1: "names"}


def make_word_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words in lower case, and numbers below 60; any other is unknown."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    numbers = [str(n) for n in range(60)]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS, *numbers])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=32,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


def make_classifier(folder: Path, steps: int = 240) -> Path:
    """Writes the classifier and its tokenizer, after so many steps on random texts; two seconds.

    Texts that hold the word and texts that do not are seen equally often, alone and as pairs.
    """
    tokenizer = make_word_tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = BertForSequenceClassification(_config(len(tokenizer)))
        _teach(net, tokenizer, steps)
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _config(vocabulary: int) -> BertConfig:
    return BertConfig(
        vocab_size=vocabulary, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=34, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, id2label=LABELS,
    )  # fmt: skip


def _teach(
    net: BertForSequenceClassification, tokenizer: PreTrainedTokenizerBase, steps: int
) -> None:
    rng = random.Random(0)
    adam = torch.optim.AdamW(net.parameters(), lr=5e-3)
    rest = [word for word in WORDS if word != WORD]
    for step in range(steps):
        labels = [rng.random() < 0.5 for _ in range(32)]
        asked, replies = ([rng.choices(rest, k=rng.randrange(2, 8)) for _ in labels] for _ in "ab")
        for question, reply, holds in zip(asked, replies, labels, strict=True):
            question[0] = rng.choice([WORD, question[0]])
            if holds:
                reply[rng.randrange(len(reply))] = WORD
        texts = [" ".join(words) for words in replies]
        pairs = ([" ".join(words) for words in asked], texts) if step % 2 else (texts,)
        encoded = tokenizer(*pairs, padding=True, return_tensors="pt")
        loss = net(**encoded, labels=torch.tensor(labels, dtype=torch.long)).loss
        loss.backward()
        adam.step()
        adam.zero_grad()
