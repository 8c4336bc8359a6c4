"""What a word of an answer was drawn from: which words could have stood there, and how likely.

Knows no components: nodes out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ui.client import ApiError, Client
from ui.nodes import Node, fragment, node
from ui.wire import Odd, Word


async def odds(client: Client, candidate: str, offset: int) -> list[Node]:
    """The panel for the word at this character of the answer's text."""
    try:
        words = await client.words(candidate)
        word = await client.word(candidate, place_of(words, offset))
    except ApiError as error:
        return fragment(_section(node("p", "rl-wrong", str(error), role="alert")))
    return fragment(panel(word))


def place_of(words: Sequence[Word], offset: int) -> int:
    """The token that the character belongs to, the last one that has a text beyond the end."""
    place, end = 0, 0
    for word in words:
        if word.text and end <= offset:
            place = word.place
        end += len(word.text)
    return place


def panel(word: Word) -> Node:
    """The word's own chance, and bars for the likeliest, its own among them."""
    drawn = Odd(token=word.token, text=word.text, logprob=word.logprob)
    others = [odd for odd in word.odds if odd.token != word.token]
    likely = sorted([drawn, *others], key=lambda odd: -odd.logprob)
    return _section(
        node(
            "p",
            "rl-lead",
            node("b", "", named(word.text)),
            f" was drawn with a chance of {percent(word.logprob)}. It could have been:",
            role="status",
        ),
        node("ul", "rl-odds-list", *(_bar(odd, odd.token == word.token) for odd in likely)),
    )


def _section(*children: Node) -> Node:
    close = node("button", "rl-button rl-quiet", "Close", type="button", data_action="close")
    return node("section", "rl-odds", *children, close, aria_label="What this word was drawn from")


def _bar(odd: Odd, drawn: bool) -> Node:
    chance = math.exp(odd.logprob)
    return node(
        "li",
        "rl-odd rl-drawn" if drawn else "rl-odd",
        node("span", "rl-odd-text", named(odd.text)),
        node("progress", "", max=1, value=f"{chance:.4f}", aria_hidden="true"),
        node("span", "rl-odd-chance", percent(odd.logprob)),
    )


def named(text: str) -> str:
    """A token's text as people can see it: spaces and line ends shown, the end of an answer
    named."""
    if not text:
        return "(end)"
    if "\N{REPLACEMENT CHARACTER}" in text:
        return "(part of a character)"
    return text.replace(" ", "\N{OPEN BOX}").replace(
        "\n", "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"
    )


def percent(logprob: float) -> str:
    """0.034 as 3.4 %; what rounds to nothing as < 0.1 %."""
    chance = 100 * math.exp(logprob)
    if chance < 0.1:
        return "< 0.1 %"
    return f"{chance:.0f} %" if chance >= 9.95 else f"{chance:.1f} %"
