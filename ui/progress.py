"""The progress tab: is it getting better?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ui.client import ApiError, Client
from ui.forest import Row, forest
from ui.inert import inert
from ui.nodes import Node, fragment, node
from ui.version_calls import VersionCalls
from ui.version_wire import Estimate, Rates, Standing
from ui.words import count

Update = dict[Any, Any]

NOBODY = "Nobody has compared versions yet: the Versions tab has blind battles."
UNJUDGED = "No round has come as far as a duel yet."


class ProgressTab:
    """The tab's one component, and its handler."""

    def __init__(self, client: Client) -> None:
        self._calls = VersionCalls(client)
        self.page = inert(elem_id="rl-standings")

    async def show(self) -> Update:
        """The win rates as they are now."""
        try:
            found = await self._calls.progress()
        except ApiError:
            # The banner on top says what is wrong; what was shown stays.
            return {self.page: gr.skip()}
        return {self.page: drawn(found)}


def drawn(standings: Sequence[Standing]) -> list[Node]:
    """One sentence, then four plots."""
    later = [standing for standing in standings if standing.version != "v0"]
    if not later:
        text = "There is the starting model alone. Once a round has published a version, it is "
        return fragment(node("p", "rl-note", text + "compared here."))
    return fragment(
        node("h2", "", "Is it getting better?"),
        node("p", "rl-lead", sentence(standings), role="status"),
        _part(
            "What people say",
            "From rankings with answers of several versions, as the Label tab brings them while a "
            "version is on trial, and blind battles. Length, lists and headings are held equal.",
            later,
            lambda standing: standing.people,
            NOBODY,
        ),
        _part(
            "What the reward model says",
            "The duel of each round's gate, by a model that the round did not learn to please. "
            "Over v0 the duels on the way there are added up.",
            later,
            lambda standing: standing.model,
            UNJUDGED,
        ),
    )


def sentence(standings: Sequence[Standing]) -> str:
    """The live version over v0, by people if they said anything."""
    live = next((standing for standing in standings if standing.state == "live"), None)
    if live is None or live.version == "v0":
        return "v0, the starting model, is live."
    for who, rates in (("people", live.people), ("the reward model", live.model)):
        rate = rates.over_base
        if rate is not None:
            verdict = _verdict(rate)
            return f"{verdict}: by {who}, {live.version} wins {_percent(rate)} against v0."
    return f"Nobody knows yet: {live.version} has been compared with v0 by nobody."


def _verdict(rate: Estimate) -> str:
    if rate.low > 0.5:
        return "Yes"
    return "No" if rate.high < 0.5 else "It cannot be told yet"


def _percent(rate: Estimate) -> str:
    value = 100 * (rate.value or 0.0)
    return f"{value:.0f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f} %)"


def _part(
    title: str,
    note: str,
    standings: Sequence[Standing],
    of: Callable[[Standing], Rates],
    unknown: str,
) -> Node:
    """Two plots, or what is said where there is nothing to be drawn."""
    newest = sorted(standings, key=lambda standing: standing.created_at or 0.0, reverse=True)
    over_base = [_row(s.version, s, of(s).over_base) for s in newest]
    over_previous = [
        _row(f"{s.version} over {s.previous}", s, of(s).over_previous) for s in newest if s.previous
    ]
    known = any(row.value is not None for row in (*over_base, *over_previous))
    plots = [
        forest(over_base, "Over v0"),
        forest(over_previous, "Over the version before") if over_previous else None,
    ]
    return node(
        "section",
        "rl-panel",
        node("h2", "", title),
        node("p", "rl-note", note),
        *(plots if known else [node("p", "", unknown)]),
    )


def _row(label: str, standing: Standing, rate: Estimate | None) -> Row:
    if rate is None:
        return Row(label, None, note=standing.state)
    pairs = f"{standing.state}, {count(standing.pairs, 'comparison')}" if standing.pairs else ""
    return Row(label, rate.value, rate.low, rate.high, pairs or standing.state)
