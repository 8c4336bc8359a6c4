"""OpenAI's shapes of answers in a chat, whole and in chunks, with our own field `rankloop`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from ..decode.jobs import Piece
from .bodies import ChatRequest, Sampled
from .generation import Generation

VERSION_HEADER = "x-rankloop-version"


def completion(generation: Generation, body: ChatRequest) -> dict[str, Any]:
    choices = [
        {
            "index": choice.index,
            "message": {
                "role": "assistant",
                "content": "" if body.silent else choice.text,
                "refusal": None,
            },
            "logprobs": logprobs(generation, body, [] if body.silent else choice.pieces),
            "finish_reason": "length" if body.silent else choice.finish,
        }
        for choice in generation.choices
    ]
    return {
        **head(generation, "chat.completion"),
        "choices": choices,
        "usage": usage(generation),
        "rankloop": rankloop(generation),
    }


def head(generation: Generation, kind: str) -> dict[str, Any]:
    """What a completion and each of its chunks begin with."""
    return {
        "id": generation.ask.id,
        "object": kind,
        "created": int(generation.created_at),
        "model": generation.ask.model,
        "system_fingerprint": f"{generation.version}-{generation.digest[:12]}",
    }


def rankloop(generation: Generation) -> dict[str, Any]:
    """Which version answered, and the ids to rank its answers by."""
    return {
        "version": generation.version,
        "digest": generation.digest,
        "completion_id": generation.ask.id,
        "candidates": generation.candidate_ids,
    }


def usage(generation: Generation) -> dict[str, int]:
    prompt, answers = generation.prompt_tokens, generation.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answers,
        "total_tokens": prompt + answers,
    }


def logprobs(
    generation: Generation, body: ChatRequest, pieces: Sequence[Piece]
) -> dict[str, Any] | None:
    """Each token's text and the raw model's log-probability of it; the end-of-turn token has no
    text."""
    if not body.logprobs:
        return None
    return {
        "content": [
            {
                **token_logprob(generation.text(piece.token), piece.raw_logp),
                "top_logprobs": [
                    token_logprob(generation.text(token), logp) for token, logp in piece.top
                ],
            }
            for piece in pieces
            if not generation.is_stop(piece.token)
        ],
        "refusal": None,
    }


def token_logprob(text: str, logp: float) -> dict[str, Any]:
    whole_characters = "\N{REPLACEMENT CHARACTER}" not in text
    return {
        "token": text,
        "logprob": logp,
        "bytes": list(text.encode()) if whole_characters else None,
    }


class Chunks(ABC):
    """The frames of one stream, of whatever kind."""

    kind: str

    def __init__(self, generation: Generation, body: Sampled) -> None:
        self.generation = generation
        self.wants_usage = body.wants_usage
        self.wants_usage_always = body.wants_usage_always
        self.head = head(generation, self.kind)

    def openings(self) -> list[dict[str, Any]]:
        """What comes before any text."""
        return []

    @abstractmethod
    def of(self, piece: Piece) -> list[dict[str, Any]]:
        """Its text, if there is any to show, and its answer's end, if it is that."""

    def usage(self) -> dict[str, Any]:
        return {**self.head, "choices": [], "usage": usage(self.generation)}

    def chunk(self, choice: dict[str, Any]) -> dict[str, Any]:
        chunk = {**self.head, "choices": [choice]}
        return {**chunk, "usage": usage(self.generation)} if self.wants_usage_always else chunk


class ChatChunks(Chunks):
    """The frames of a chat's answers: the role of each choice first."""

    kind = "chat.completion.chunk"

    def __init__(self, generation: Generation, body: ChatRequest) -> None:
        super().__init__(generation, body)
        self.body = body

    def openings(self) -> list[dict[str, Any]]:
        return [
            self._delta(choice.index, {"role": "assistant", "content": ""})
            for choice in self.generation.choices
        ]

    def of(self, piece: Piece) -> list[dict[str, Any]]:
        if self.body.silent:
            return [self._delta(piece.index, {}, finish="length")]
        chunks = []
        if piece.text or (self.body.logprobs and not self.generation.is_stop(piece.token)):
            found = logprobs(self.generation, self.body, [piece])
            chunks.append(self._delta(piece.index, {"content": piece.text}, found))
        if piece.finish is not None:
            chunks.append(self._delta(piece.index, {}, finish=piece.finish))
        return chunks

    def _delta(
        self,
        index: int,
        delta: dict[str, Any],
        found: dict[str, Any] | None = None,
        finish: str | None = None,
    ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": found, "finish_reason": finish}
        chunk = self.chunk(choice)
        # A stream that ends with its usage says so from the first frame on; a text's never did.
        return {"usage": None, **chunk} if self.wants_usage else chunk
