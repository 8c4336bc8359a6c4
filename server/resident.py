"""One version in memory: what requests read of it, and the try that it must pass first."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence

import torch

from policy.chat import Message
from policy.engine import Request, generate
from policy.model import Model
from policy.params import SamplingParams

from .worker import Hosted

WARM_MESSAGES = (Message("user", "Hello!"),)
WARM_TOKENS = 8


class Broken(Exception):
    """The version itself is bad, and will be at every try: files that do not verify, answers that
    are no numbers."""


class Resident:
    """One version in memory. `readers` counts the requests that use it; Residence counts them."""

    def __init__(self, id: str, digest: str, model: Model) -> None:
        self.id = id
        self.digest = digest
        self.context = model.context
        self.template_hash = model.chat.template_hash
        self.stop_ids = model.chat.stop_ids
        self.vocabulary = int(model.net.config.vocab_size)
        self.readers = 0
        self.used_at = time.monotonic()
        self._chat = model.chat
        self._encoding = threading.Lock()

    def encode(self, messages: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        """Prompt ids. Raises policy.chat.InvalidMessages."""
        turns = [Message(role, content) for role, content in messages]
        # A tokenizer holds its settings while it works, so it serves one thread at a time.
        with self._encoding:
            return tuple(self._chat.encode(turns))

    def text(self, token: int) -> str:
        """A token by itself; bytes that are no whole character show as U+FFFD."""
        return self._chat.decode([token])


def device_of(setting: str) -> str:
    if setting != "auto":
        return setting
    return "cuda" if torch.cuda.is_available() else "cpu"


def warm(hosted: Hosted) -> None:
    """A few tokens before anybody waits for them; raises Broken if they have no finite
    log-probability."""
    prompt = tuple(hosted.chat.encode(WARM_MESSAGES))
    params = SamplingParams(temperature=0.0, max_tokens=WARM_TOKENS)
    request = Request("warm", prompt, params, 2, hosted.chat.stop_ids)
    for completion in generate(hosted.engine, [request])["warm"]:
        if not all(math.isfinite(logp) for logp in completion.raw_logps):
            raise Broken("its log-probabilities are not finite")
