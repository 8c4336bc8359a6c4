"""Draws the imported prompt sets and how far each one is. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ui.data_wire import PromptSet
from ui.nodes import Node, fragment, node
from ui.raters import bar, percent

HEADS = ("Set", "Prompts", "Share of all", "Answered", "Ranked")


def sets(found: Sequence[PromptSet]) -> list[Node]:
    """A row for each set."""
    heading = node("h2", "", "Prompt sets")
    if not found:
        none = "None: people label what is asked in the chat. A file of prompts becomes a set."
        return fragment(heading, node("p", "rl-note", none))
    whole = sum(one.prompts for one in found)
    drawn = any(one.share is not None for one in found)
    heads = (*HEADS, "Share in PPO") if drawn else HEADS
    return fragment(
        heading,
        node(
            "div",
            "rl-scroll",
            node(
                "table",
                "rl-table rl-sets",
                node("thead", "", node("tr", "", *(node("th", "", h, scope="col") for h in heads))),
                node("tbody", "", *(_row(one, whole, drawn) for one in found)),
            ),
            tabindex="0",
            role="group",
            aria_label="Prompt sets",
        ),
    )


def _row(one: PromptSet, whole: int, drawn: bool) -> Node:
    ppo = "" if one.share is None else percent(one.share)
    return node(
        "tr",
        "",
        node("th", "rl-name", one.set, scope="row"),
        node("td", "", str(one.prompts)),
        node("td", "", percent(one.prompts / whole if whole else 0.0)),
        _part("Answered", one.answered, one.prompts),
        _part("Ranked", one.labelled, one.prompts),
        node("td", "", ppo) if drawn else None,
    )


def _part(name: str, part: int, whole: int) -> Node:
    share = part / whole if whole else 0.0
    return node("td", "", bar(name, share), node("div", "", f"{part}, {percent(share)}"))
