"""OpenAI's shapes of an answer, whole and in chunks, with our own field `rankloop`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .generation import Generation
from .jobs import Piece
from .wire import ChatRequest

VERSION_HEADER = "x-rankloop-version"


def completion(generation: Generation, body: ChatRequest) -> dict[str, Any]:
    choices = [
        {
            "index": choice.index,
            "message": {"role": "assistant", "content": choice.text, "refusal": None},
            "logprobs": logprobs(generation, body, choice.pieces),
            "finish_reason": choice.finish,
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
    prompt, answers = len(generation.prompt), generation.completion_tokens
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
                **token_logprob(generation.token_text(piece.token), piece.raw_logp),
                "top_logprobs": [
                    token_logprob(generation.token_text(token), logp) for token, logp in piece.top
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


class Chunks:
    """The frames of one stream."""

    def __init__(self, generation: Generation, body: ChatRequest) -> None:
        self.generation = generation
        self.body = body
        self.head = head(generation, "chat.completion.chunk")

    def openings(self) -> list[dict[str, Any]]:
        """The role of each choice; our field on the first."""
        chunks = [
            self._chunk(choice.index, {"role": "assistant", "content": ""})
            for choice in self.generation.choices
        ]
        chunks[0]["rankloop"] = rankloop(self.generation)
        return chunks

    def of(self, piece: Piece) -> list[dict[str, Any]]:
        """Its text, if there is any to show, and its answer's end, if it is that."""
        chunks = []
        if piece.text or (self.body.logprobs and not self.generation.is_stop(piece.token)):
            found = logprobs(self.generation, self.body, [piece])
            chunks.append(self._chunk(piece.index, {"content": piece.text}, found))
        if piece.finish is not None:
            chunks.append(self._chunk(piece.index, {}, finish=piece.finish))
        return chunks

    def usage(self) -> dict[str, Any]:
        return {**self.head, "choices": [], "usage": usage(self.generation)}

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        found: dict[str, Any] | None = None,
        finish: str | None = None,
    ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": found, "finish_reason": finish}
        chunk = {**self.head, "choices": [choice]}
        return {**chunk, "usage": None} if self.body.wants_usage else chunk
