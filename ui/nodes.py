"""Trees of plain nodes that the browser builds element by element.

A text in a tree is set as text, never parsed, so that no word of a person or of a model is ever
run. Which tags and attributes exist is decided in assets/inert.js.
"""

from __future__ import annotations

from typing import TypeAlias

Attributes: TypeAlias = dict[str, str]
# A text, or [tag, attributes, child, child, ...]: what JSON can hold.
Node: TypeAlias = str | list["str | Attributes | Node"]


def node(tag: str, css: str = "", *children: Node | None, **attributes: object) -> Node:
    """An element with the classes `css`; a None child is left out.

    Attributes in Python's spelling: `aria_label` is aria-label, `open=True` is set, None is not.
    """
    named = {"class": css} if css else {}
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        named[name.strip("_").replace("_", "-")] = "" if value is True else str(value)
    return [tag, named, *(child for child in children if child is not None)]


def fragment(*children: Node | None) -> list[Node]:
    """The children of the component's root."""
    return [child for child in children if child is not None]


def said(text: str, *, wrong: bool = False) -> list[Node]:
    """One line on what a button did."""
    return fragment(
        node("p", "rl-wrong" if wrong else "rl-note", text, role="alert" if wrong else "status")
    )
