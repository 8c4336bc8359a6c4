"""The conversations that a person had before, and the way back into one of them."""

from __future__ import annotations

from collections.abc import Sequence

from ui.client import ApiError, Client
from ui.memory import Conversation, Turn
from ui.nodes import Node, fragment, node
from ui.wire import Past, PastTurn
from ui.words import count, moment

SHOWN = 50
"""Conversations in the list."""


async def past(client: Client, person: str | None) -> list[Node]:
    """The panel with the person's conversations, the last first."""
    try:
        found = await client.conversations(person, SHOWN)
    except ApiError as error:
        return fragment(_panel("Earlier chats", node("p", "rl-wrong", str(error), role="alert")))
    if not found:
        return fragment(_panel("Earlier chats", node("p", "rl-note", "There is none yet.")))
    rows = [_row("open", each.id, each.title, _when(each)) for each in found]
    return fragment(_panel("Earlier chats", node("ul", "rl-past-list", *rows)))


async def reopened(
    client: Client, id: str, person: str | None
) -> tuple[Conversation | None, list[Node]]:
    """The conversation where it has one end, else the panel that asks which. Raises ApiError."""
    turns = await client.conversation(id, person)
    ends = paths(turns)
    if len(ends) == 1:
        return conversation(id, ends[0]), []
    rows = [
        _row("branch", f"{id} {path[-1].id}", _last_said(path), moment(path[-1].at))
        for path in ends
    ]
    title = f"This chat went {len(ends)} ways"
    return None, fragment(_panel(title, node("ul", "rl-past-list", *rows)))


async def branch(client: Client, id: str, end: str, person: str | None) -> Conversation | None:
    """The conversation that ends with this turn. Raises ApiError."""
    ends = paths(await client.conversation(id, person))
    return next((conversation(id, path) for path in ends if path[-1].id == end), None)


def paths(turns: Sequence[PastTurn]) -> list[list[PastTurn]]:
    """Each way that the conversation went, the last first, to the answer that was chosen there: the
    best ranked of the last answers, the first where nothing was ranked.
    """
    known = {turn.id: turn for turn in turns}
    asked = {turn.parent for turn in turns}
    ends: dict[str | None, PastTurn] = {}
    for turn in turns:
        if turn.id not in asked:
            best = ends.get(turn.parent)
            ends[turn.parent] = turn if best is None or _place(turn) < _place(best) else best
    found = [_path(end, known) for end in ends.values()]
    return sorted(found, key=lambda path: -path[-1].at)


def _place(turn: PastTurn) -> float:
    return float("inf") if turn.rank is None else turn.rank


def _path(end: PastTurn, known: dict[str, PastTurn]) -> list[PastTurn]:
    path = [end]
    while path[0].parent is not None:
        path.insert(0, known[path[0].parent])
    return path


def conversation(id: str, path: Sequence[PastTurn]) -> Conversation:
    """As the page shows one; it goes on under its old name."""
    spoken = [turn for turn in path if turn.role in ("user", "assistant")]
    system = [turn.text for turn in path if turn.role not in ("user", "assistant")]
    turns = [
        Turn.model_validate(
            {
                "role": turn.role,
                "text": turn.text,
                "version": turn.version,
                "candidate": turn.candidate,
            }
        )
        for turn in spoken
    ]
    return Conversation(id=id, turns=turns, system="\n".join(system))


def _last_said(path: Sequence[PastTurn]) -> str:
    """What the person said last, which tells one way from another."""
    said = [turn.text for turn in path if turn.role == "user"]
    return said[-1] if said else path[-1].text


def _panel(title: str, *children: Node) -> Node:
    close = node("button", "rl-button rl-quiet", "Close", type="button", data_action="close")
    head = node("div", "rl-past-head", node("h2", "", title), close)
    return node("section", "rl-past", head, *children, aria_label=title)


def _row(action: str, id: str, title: str, when: str) -> Node:
    return node(
        "li",
        "",
        node(
            "button",
            "rl-past-row",
            node("span", "rl-past-title", title),
            node("span", "rl-dim", when),
            type="button",
            data_action=action,
            data_id=id,
        ),
    )


def _when(each: Past) -> str:
    return f"{moment(each.updated_at)}, {count(each.answers, 'turn')}"
