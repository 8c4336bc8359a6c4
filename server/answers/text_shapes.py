"""OpenAI's shapes of plain completions, whole and in chunks: text after text, no roles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..decode.jobs import Piece
from .bodies import TextRequest
from .generation import Choice, Generation
from .shapes import Chunks, head, rankloop, usage


def text_completion(generation: Generation, body: TextRequest) -> dict[str, Any]:
    choices = [text_choice(generation, body, choice) for choice in generation.choices]
    return {
        **head(generation, "text_completion"),
        "choices": choices,
        "usage": usage(generation),
        "rankloop": rankloop(generation),
    }


def text_choice(generation: Generation, body: TextRequest, choice: Choice) -> dict[str, Any]:
    pieces = [] if body.silent else choice.pieces
    echo = Echo.of(generation, body, choice.index)
    tokens = [*echo.tokens(generation, body), *drawn(generation, pieces)]
    return {
        "index": choice.index,
        "text": echo.text + "".join(piece.text for piece in pieces),
        "logprobs": logprobs(generation, body, tokens, 0),
        "finish_reason": "length" if body.silent else choice.finish,
    }


@dataclass(frozen=True)
class Scored:
    """One token with its log-probability (None where nothing precedes it) and the likeliest in its
    place."""

    token: int
    logp: float | None
    top: Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Echo:
    """The prompt of one choice, as far as it is given back: nothing where it was not asked for."""

    text: str
    ids: tuple[int, ...]
    place: int

    @classmethod
    def of(cls, generation: Generation, body: TextRequest, index: int) -> Echo:
        if not body.echo:
            return cls("", (), 0)
        prompt, ids = generation.prompt_of(index)
        text = generation.text(*ids) if prompt.text is None else prompt.text
        return cls(text, ids, index // generation.ask.n)

    def tokens(self, generation: Generation, body: TextRequest) -> Iterator[Scored]:
        """The prompt's tokens; the engine scored them once for all answers to it."""
        if not self.ids or not body.scores_prompt:
            return
        first = generation.choices[self.place * generation.ask.n]
        scores = first.pieces[0].scores
        assert scores is not None, "a prompt that is given back with log-probabilities is scored"
        yield Scored(self.ids[0], None, ())
        for token, logp, top in zip(self.ids[1:], scores.logps, scores.tops, strict=True):
            yield Scored(token, logp, top)


def drawn(generation: Generation, pieces: Sequence[Piece]) -> Iterator[Scored]:
    """The answer's tokens; the one that ends a turn is no part of the text."""
    for piece in pieces:
        if not generation.is_stop(piece.token):
            yield Scored(piece.token, piece.raw_logp, piece.top)


def logprobs(
    generation: Generation, body: TextRequest, tokens: Sequence[Scored], offset: int
) -> dict[str, Any] | None:
    """Four lists side by side, as the first completions had them; texts begin at `offset`."""
    if body.logprobs is None:
        return None
    names = [token_name(generation, scored.token) for scored in tokens]
    offsets = []
    for scored in tokens:
        offsets.append(offset)
        offset += len(generation.text(scored.token))
    return {
        "tokens": names,
        "token_logprobs": [scored.logp for scored in tokens],
        "top_logprobs": [likeliest(generation, body, scored) for scored in tokens],
        "text_offset": offsets,
    }


def likeliest(generation: Generation, body: TextRequest, scored: Scored) -> dict[str, float]:
    """The likeliest tokens by name, and the token itself: programs tell by it whether it was the
    likeliest."""
    if scored.logp is None or not body.top:
        return {}
    named = {token_name(generation, token): logp for token, logp in scored.top}
    return {**named, token_name(generation, scored.token): scored.logp}


def token_name(generation: Generation, token: int) -> str:
    """A token's text; its id where it is part of a character or has no text, since two tokens must
    not go by one name."""
    text = generation.text(token)
    return text if text and "\N{REPLACEMENT CHARACTER}" not in text else f"token_id:{token}"


class TextChunks(Chunks):
    """The frames of plain completions; a prompt that is given back comes with the first."""

    kind = "text_completion"

    def __init__(self, generation: Generation, body: TextRequest) -> None:
        super().__init__(generation, body)
        self.body = body
        self._offsets = [0] * len(generation.choices)
        self._begun: set[int] = set()

    def of(self, piece: Piece) -> list[dict[str, Any]]:
        index, wanted = piece.index, not self.body.silent
        tokens = list(drawn(self.generation, [piece])) if wanted else []
        text = piece.text if wanted else ""
        if index not in self._begun:
            self._begun.add(index)
            echo = Echo.of(self.generation, self.body, index)
            text, tokens = echo.text + text, [*echo.tokens(self.generation, self.body), *tokens]
        found = logprobs(self.generation, self.body, tokens, self._offsets[index])
        self._offsets[index] += len(text)
        finish = piece.finish if wanted else "length"
        if not text and not tokens and finish is None:
            return []
        choice = {"index": index, "text": text, "logprobs": found, "finish_reason": finish}
        return [self.chunk(choice)]
