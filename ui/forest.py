"""A forest plot: a figure and its interval to a row, on one axis from 0 to 100 %. Pure: nodes
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ui.nodes import Node, node


@dataclass(frozen=True)
class Row:
    """A share with its interval; `note` says what it rests on. Without a value nothing is known."""

    label: str
    value: float | None
    low: float = 0.0
    high: float = 1.0
    note: str = ""


def forest(rows: Sequence[Row], caption: str) -> Node:
    """The rows as a table, so that what is drawn is also said."""
    return node(
        "table",
        "rl-forest",
        node("thead", "", node("tr", "", *_heads(caption))),
        node("tbody", "", *(_row(row) for row in rows)),
    )


def _heads(caption: str) -> list[Node]:
    axis = node("div", "rl-axis", *(node("span", "", text) for text in ("0 %", "50 %", "100 %")))
    return [
        node("th", "", caption, scope="col"),
        node("th", "", axis, aria_hidden="true"),
        node("th", "", "", scope="col"),
    ]


def _row(row: Row) -> Node:
    known = row.value is not None
    said = (
        f"{percent(row.value)} ({percent(row.low)} to {percent(row.high)})"
        if known
        else "not known"
    )
    return node(
        "tr",
        "",
        node("th", "", row.label, scope="row"),
        node("td", "", _drawn(row)),
        node("td", "", said, node("span", "rl-dim", f" {row.note}") if row.note else None),
    )


def _drawn(row: Row) -> Node:
    marks = [node("line", "rl-half", x1="50%", x2="50%", y1="0", y2="20")]
    if row.value is not None:
        marks += [
            node("line", "rl-span", x1=_at(row.low), x2=_at(row.high), y1="10", y2="10"),
            node("circle", "rl-point", cx=_at(row.value), cy="10", r="4.5"),
        ]
    return node("svg", "rl-bar", *marks, aria_hidden="true", height="20")


def _at(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.1f}%"


def percent(share: float | None) -> str:
    """.534 as 53 %."""
    return "" if share is None else f"{100 * share:.0f} %"
