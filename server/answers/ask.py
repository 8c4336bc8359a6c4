"""What a person asked for, every default filled in: the same for a chat and for a plain completion,
streamed or not. It knows no version and no model.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from feedback.labelling import PromptSource
from policy.params import SamplingParams

from ..wire import Turn
from .bodies import ChatMessage, ChatRequest, TextRequest

# OpenAI takes a nucleus of nothing for the most likely token alone; the sampler wants more than 0.
LEAST_TOP_P = 1e-6
# Below it float32 logits overflow; what is so cold is as good as greedy long before.
LEAST_TEMPERATURE = 1e-3


@dataclass(frozen=True)
class Prompt:
    """What is to be answered: messages, as the model's chat template renders them, or a text or
    token ids as they are."""

    messages: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    ids: tuple[int, ...] | None = None

    @property
    def said(self) -> tuple[tuple[str, str], ...] | tuple[int, ...] | str:
        """Whichever it is."""
        if self.text is not None:
            return self.text
        return self.messages if self.ids is None else self.ids

    @property
    def param(self) -> str:
        """The field that it came in."""
        return "messages" if self.messages else "prompt"


@dataclass(frozen=True)
class Ask:
    """One request for answers: each of the prompts is answered `n` times. The bound on an answer's
    tokens, which `sampling` leaves open, is `max_tokens`, or what there is room for.
    `prompt_logprobs`: score the prompts too, with so many likeliest tokens. `told`: the answers'
    log-probabilities are shown."""

    id: str
    model: str
    prompts: tuple[Prompt, ...]
    n: int
    max_tokens: int | None
    sampling: SamplingParams
    stops: tuple[str, ...]
    stop_ids: frozenset[int]
    ignore_eos: bool
    person: str
    consented: bool
    listed: bool
    conversation_id: str
    prompt_logprobs: int | None = None
    told: bool = False

    @classmethod
    def of(
        cls,
        body: ChatRequest | TextRequest,
        prompts: tuple[Prompt, ...],
        *,
        id: str,
        person: str,
        consented: bool,
        listed: bool,
        conversation_id: str,
        prompt_logprobs: int | None = None,
    ) -> Ask:
        """What the body says of how the answers are drawn, with the rest."""
        return cls(
            id=id,
            model=body.model,
            prompts=prompts,
            n=body.choices,
            max_tokens=body.longest,
            sampling=sampling_of(body),
            stops=body.stops,
            stop_ids=frozenset(body.stop_token_ids or ()),
            ignore_eos=bool(body.ignore_eos),
            person=person,
            consented=consented,
            listed=listed,
            conversation_id=conversation_id,
            prompt_logprobs=prompt_logprobs,
            told=body.tells,
        )

    @property
    def params(self) -> dict[str, Any]:
        """The sampling parameters, as they are kept with the record beside the seed."""
        sampling = asdict(self.sampling)
        del sampling["seed"], sampling["odds"]
        return {
            "n": self.n,
            **sampling,
            "max_tokens": self.max_tokens,
            "stop": list(self.stops),
            "stop_token_ids": sorted(self.stop_ids),
            "ignore_eos": self.ignore_eos,
        }


def aside(source: PromptSource, model: str, *, n: int, max_tokens: int | None = None) -> Ask:
    """What the server asks by itself, of a prompt that somebody else brought: the answers stay with
    that conversation, and that person, who can take them back."""
    return Ask(
        id=f"chatcmpl-{uuid4().hex}",
        model=model,
        prompts=(Prompt(messages=source.messages),),
        n=n,
        max_tokens=max_tokens,
        sampling=SamplingParams(temperature=1.0, seed=secrets.randbits(53)),
        stops=(),
        stop_ids=frozenset(),
        ignore_eos=False,
        person=source.person,
        consented=True,
        listed=False,
        conversation_id=source.conversation_id,
    )


def of_chat(body: ChatRequest, person: str) -> Ask:
    """OpenAI's `store: false` says that the answer is not to be used; it is kept, but never learned
    from, and no history lists it."""
    messages = turns(body.messages)
    return Ask.of(
        body,
        (Prompt(messages=messages),),
        id=f"chatcmpl-{uuid4().hex}",
        person=person,
        consented=body.store is not False,
        listed=body.store is not False,
        conversation_id=body.conversation or derived_conversation(person, messages),
    )


def of_text(body: TextRequest, person: str) -> Ask:
    """What is no chat is on record, and never learned from."""
    id = f"cmpl-{uuid4().hex}"
    prompts = tuple(
        Prompt(text=prompt) if isinstance(prompt, str) else Prompt(ids=tuple(prompt))
        for prompt in body.prompts
    )
    return Ask.of(
        body,
        prompts,
        id=id,
        person=person,
        consented=False,
        listed=False,
        conversation_id=body.conversation or id,
        prompt_logprobs=body.top if body.scores_prompt else None,
    )


def turns(messages: Sequence[ChatMessage | Turn]) -> tuple[tuple[str, str], ...]:
    """The messages in the three roles that chat templates know: a developer speaks as the system,
    and what a tool found is told by the user."""
    roles = {"developer": "system", "tool": "user"}
    return tuple((roles.get(turn.role, turn.role), turn.content or "") for turn in messages)


def derived_conversation(person: str, messages: tuple[tuple[str, str], ...]) -> str:
    """One id for all turns of a conversation: from the person, the system's words and the person's
    first."""
    system = next((content for role, content in messages if role == "system"), "")
    first = next((content for role, content in messages if role == "user"), "")
    digest = hashlib.sha256("\x00".join((person, system, first)).encode())
    return f"conv-{digest.hexdigest()[:24]}"


def sampling_of(body: ChatRequest | TextRequest) -> SamplingParams:
    """How the tokens are drawn; nulls are what leaves the distribution as it is. A seed is drawn if
    none is given, so that every answer has one."""
    given: dict[str, Any] = {
        "temperature": body.temperature and max(body.temperature, LEAST_TEMPERATURE),
        "top_p": None if body.top_p is None else max(body.top_p, LEAST_TOP_P),
        "top_k": None if body.top_k == -1 else body.top_k,
        "min_p": body.min_p,
        "presence_penalty": body.presence_penalty,
        "frequency_penalty": body.frequency_penalty,
        "repetition_penalty": body.repetition_penalty,
        "logit_bias": body.biases,
        "min_tokens": body.min_tokens,
        "top_logprobs": body.top,
        "seed": secrets.randbits(53) if body.seed is None else body.seed,
    }
    return SamplingParams(**{name: value for name, value in given.items() if value is not None})
