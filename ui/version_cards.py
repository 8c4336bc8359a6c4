"""Draws the versions: one card each, and which was made from which. Pure: wire in, nodes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ui.nodes import Node, fragment, node
from ui.rounds import reasons
from ui.wire import Reason, Version, VersionEvent
from ui.words import count, figure, label, moment

Reasons = Mapping[str, Sequence[Reason]]
"""The gate's, by version."""


def cards(versions: Sequence[Version], gate: Reasons | None = None) -> list[Node]:
    """Which was made from which, then one card for each version, newest first."""
    if not versions:
        return fragment(node("p", "rl-note", "No version is known yet."))
    newest = sorted(versions, key=lambda version: version.created_at or 0.0, reverse=True)
    listed = (_card(version, (gate or {}).get(version.id, ())) for version in newest)
    return fragment(
        lineage(versions) if len(versions) > 1 else None,
        node("ol", "rl-versions", *listed, aria_label="Versions"),
    )


def lineage(versions: Sequence[Version]) -> Node:
    """The versions as a tree, each below the one that it was made from."""
    known = {version.id for version in versions}
    made_from: dict[str | None, list[Version]] = defaultdict(list)
    for version in versions:
        made_from[version.parent if version.parent in known else None].append(version)

    def below(parent: str | None) -> Node | None:
        children = made_from.get(parent)
        if not children:
            return None
        return node("ul", "", *(node("li", "", _leaf(v), below(v.id)) for v in children))

    summary = node("summary", "", "Which was made from which")
    return node("details", "rl-panel rl-lineage", summary, below(None), open=True)


def _leaf(version: Version) -> Node:
    return node(
        "span",
        f"rl-leaf rl-{version.state}",
        version.id,
        node("span", "rl-dim", f" {version.state}"),
    )


def _card(version: Version, gate: Sequence[Reason]) -> Node:
    state = "live" if version.live else version.state
    pinned = f"pinned by {version.pinned_by}" if version.pinned_by else None
    return node(
        "li",
        "rl-panel rl-version" + (" rl-live" if version.live else ""),
        node(
            "div",
            "rl-version-head",
            node("h2", "", version.id),
            node("span", f"rl-outcome rl-{state}", f"● {state}" if version.live else state),
            node("span", "rl-mark", pinned) if pinned else None,
            node("span", "rl-mark", "in memory") if version.resident else None,
            node("span", "rl-mark", "files removed") if version.pruned else None,
        ),
        node("p", "rl-note", _origin(version)),
        node("p", "rl-wrong", version.problem) if version.problem else None,
        _figures(version) if version.figures else None,
        _gate(gate) if gate else None,
        _events(version.events) if version.events else None,
    )


def _origin(version: Version) -> str:
    parts = [f"from {version.parent}" if version.parent else "the starting model"]
    if version.round is not None:
        parts.append(f"round {version.round}")
    learned = version.learned_from
    if learned.rankings:
        mine = f", {learned.yours} of them yours" if learned.yours else ""
        parts.append(f"learned from {count(learned.rankings, 'ranking')}{mine}")
    if version.set_aside:
        parts.append(f"{count(version.set_aside, 'ranking')} of its answers set aside")
    parts.append(moment(version.created_at))
    return " · ".join(part for part in parts if part)


def _figures(version: Version) -> Node:
    pairs: list[Node] = []
    for name, value in version.figures.items():
        if isinstance(value, int | float | str):
            pairs.append(
                node("div", "", node("dt", "", label(name)), node("dd", "", figure(value)))
            )
    return node("dl", "rl-figures", *pairs)


def _gate(gate: Sequence[Reason]) -> Node:
    passed = sum(reason.passed for reason in gate)
    summary = f"Its round: {passed} of {len(gate)} checks passed"
    return node("details", "rl-events", node("summary", "", summary), reasons(gate))


def _events(events: Sequence[VersionEvent]) -> Node:
    return node(
        "details",
        "rl-events",
        node("summary", "", f"{count(len(events), 'change')} of state, and why"),
        node("ol", "", *(_event(event) for event in events)),
    )


def _event(event: VersionEvent) -> Node:
    moved = event.from_ and event.from_ != event.to
    return node(
        "li",
        "",
        node("span", "rl-strong", f"{event.from_} → {event.to}" if moved else event.to),
        node("span", "rl-dim", f" {moment(event.at)} by {event.actor or 'nobody'}"),
        node("div", "", event.reason) if event.reason else None,
    )
