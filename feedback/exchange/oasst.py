"""Open-Assistant's message trees (Köpf et al. 2023, 2304.07327).

Read, each of a tree's turns that has ranked answers is a ranking. Written, each ranking is a tree
of its own: the conversation, a single branch, and its answers at the end. Trees know no system's
turn: a conversation with one is not written. Ranks begin at 0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .reading import mapping, shown, text
from .values import Compared, Said, Turns, UnreadableLine
from .writing import Line, dense

NAMES = {"user": "prompter", "assistant": "assistant"}
ROLES = {name: role for role, name in NAMES.items()}
DEEPEST = 100
"""Turns from a tree's root to a leaf; people's go to about twenty."""


def write(said: Said) -> Iterator[Line]:
    """One tree, where one can hold the conversation."""
    if not isinstance(said, Compared) or any(role not in NAMES for role, _ in said.messages):
        return
    if len(said.messages) >= DEEPEST:
        return
    ends = zip(said.answers, dense(said.ranks), strict=True)
    path = said.messages
    replies = [
        _node((*path, ("assistant", answer)), [], rank and rank - 1) for answer, rank in ends
    ]
    for depth in range(len(path), 0, -1):
        replies = [_node(path[:depth], replies)]
    [root] = replies
    yield {
        "message_tree_id": root["message_id"],
        "tree_state": "ready_for_export",
        "prompt": root,
    }


def _node(path: Turns, replies: list[Line], rank: int | None = None) -> Line:
    """A message, named by all that was said up to it."""
    role, content = path[-1]
    name = hashlib.sha256(json.dumps(path).encode()).hexdigest()[:32]
    return {
        "message_id": name,
        "text": content,
        "role": NAMES[role],
        "rank": rank,
        "replies": replies,
    }


def read(row: Mapping[str, Any]) -> Sequence[Said]:
    """Every ranking that the tree holds."""
    root = mapping(row.get("prompt"), "prompt")
    found = list(_rankings(root, ()))
    if not found:
        raise UnreadableLine("no message of the tree has two ranked answers")
    return found


def _rankings(node: Mapping[str, Any], before: Turns) -> Iterator[Said]:
    role, replies = node.get("role"), node.get("replies") or []
    if role not in ROLES:
        raise UnreadableLine(f"a role must be one of {', '.join(ROLES)}, not {shown(role)}")
    if not isinstance(replies, list) or len(before) >= DEEPEST:
        raise UnreadableLine(f"replies must be a list, and no deeper than {DEEPEST}")
    path: Turns = (*before, (ROLES[role], text(node, "text")))
    kept = [r for r in (mapping(reply, "a reply") for reply in replies) if not r.get("deleted")]
    ranks = tuple(_rank(reply) for reply in kept)
    if role == "prompter" and sum(rank is not None for rank in ranks) > 1:
        yield Compared(path, tuple(text(reply, "text") for reply in kept), ranks)
    for reply in kept:
        yield from _rankings(reply, path)


def _rank(reply: Mapping[str, Any]) -> int | None:
    rank = reply.get("rank")
    if rank is None:
        return None
    if isinstance(rank, bool) or not isinstance(rank, int) or not 0 <= rank < 2**31 - 1:
        raise UnreadableLine(f"a rank must be a whole number from 0, not {shown(rank)}")
    return rank + 1
