"""Draws curves as pictures of nodes: no script, no library, nothing from the network. Pure.

A picture says in words what it shows, for people who hear the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ui.nodes import Node, node
from ui.words import figure

WIDTH, HEIGHT = 320, 120
LEFT, RIGHT, TOP, BOTTOM = 50, 10, 10, 20
"""Margins, in which the numbers stand."""

FEW = 24
"""So many points have a mark each, with their figures in its tooltip."""


@dataclass(frozen=True)
class Curve:
    """Points (x, y) by rising x, what x counts, and where y is drawn at least from and to."""

    title: str
    points: Sequence[tuple[float, float]]
    x: str = "step"
    least: Sequence[float] = ()


def picture(curve: Curve) -> Node:
    """A heading, the last figure, and the curve."""
    return node(
        "div",
        "rl-curve",
        node(
            "div",
            "rl-curve-head",
            node("h3", "", curve.title),
            node("span", "rl-strong", figure(float(curve.points[-1][1]))),
        ),
        _drawn(curve),
    )


def _drawn(curve: Curve) -> Node:
    ys = [y for _, y in curve.points]
    frame = _Frame.around(curve)
    places = [frame.place(x, y) for x, y in curve.points]
    shown = [f"{x:.1f},{y:.1f}" for x, y in places]
    return node(
        "svg",
        "rl-plot",
        *(_level(frame, y) for y in (frame.low, frame.high)),
        _label(LEFT, HEIGHT - 5, f"{curve.x} {figure(curve.points[0][0])}", "start"),
        _label(WIDTH - RIGHT, HEIGHT - 5, f"{figure(curve.points[-1][0])}", "end"),
        node("polyline", "rl-line", points=" ".join(shown)),
        *(_mark(curve, i, place) for i, place in enumerate(places) if len(places) <= FEW),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=_words(curve, ys),
    )


def _words(curve: Curve, ys: Sequence[float]) -> str:
    said = f"{curve.title}: {figure(float(ys[-1]))} at {curve.x} {figure(curve.points[-1][0])}"
    if len(ys) == 1:
        return said
    between = f"from {figure(float(ys[0]))}, between {figure(min(ys))} and {figure(max(ys))}"
    return f"{said}, {between}"


def _level(frame: _Frame, y: float) -> Node:
    _, at = frame.place(frame.first, y)
    line = node("line", "rl-level", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{at:.1f}", y2=f"{at:.1f}")
    return node("g", "", line, _label(LEFT - 6, at + 4, _short(y), "end"))


def _short(y: float) -> str:
    """As many digits as the margin holds."""
    return figure(float(f"{y:.3g}"))


def _label(x: float, y: float, text: str, anchor: str) -> Node:
    return node("text", "rl-tick", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _mark(curve: Curve, i: int, place: tuple[float, float]) -> Node:
    x, y = curve.points[i]
    told = node("title", "", f"{curve.x} {figure(x)}: {figure(float(y))}")
    return node("circle", "rl-point", told, cx=f"{place[0]:.1f}", cy=f"{place[1]:.1f}", r="3")


@dataclass(frozen=True)
class _Frame:
    """From where to where x and y go."""

    first: float
    last: float
    low: float
    high: float

    @classmethod
    def around(cls, curve: Curve) -> _Frame:
        xs = [x for x, _ in curve.points]
        ys = [*(y for _, y in curve.points), *curve.least]
        low, high = min(ys), max(ys)
        if low == high:
            low, high = low - 0.5, high + 0.5
        return cls(xs[0], xs[-1], low, high)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """In the picture's units, y downwards; a lone point stands in the middle."""
        across = (x - self.first) / (self.last - self.first) if self.last > self.first else 0.5
        up = (y - self.low) / (self.high - self.low)
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM),
        )
