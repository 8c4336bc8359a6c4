"""Draws the trial of a version, and how versions compare. Pure: wire in, nodes out."""

from __future__ import annotations

from math import exp

from ui.forest import Row, forest, percent
from ui.nodes import Node, fragment, node
from ui.version_wire import Beside, Comparisons, Trial
from ui.words import count, moment


def trial_panel(trial: Trial | None) -> list[Node]:
    """Where the trial stands; nothing where there is none."""
    if trial is None:
        return []
    rate, compared = trial.win_rate, trial.comparisons
    note = f"{compared.wins} won, {compared.losses} lost, {compared.ties} tied"
    row = Row(f"{trial.version} over {trial.live}", rate.value, rate.low, rate.high, note)
    return fragment(
        node(
            "section",
            "rl-panel",
            node("h2", "", f"{trial.version} is on trial"),
            node("p", "rl-note", _who(trial)),
            forest([row], "Blind comparisons"),
            node("p", "rl-lead", _verdict(trial), role="status"),
            _beside(trial.versions),
            aria_label="The trial",
        )
    )


def _who(trial: Trial) -> str:
    return (
        f"Since {moment(trial.began_at)} it answers {percent(trial.share)} of the people, always "
        f"the same ones, and half of what is labelled; {trial.live} answers the others."
    )


def _verdict(trial: Trial) -> str:
    if trial.better is None:
        return (
            f"Nothing is decided before {trial.needed} untied comparisons, and before the whole "
            "interval lies on one side of 50 %. Surely worse, it is rejected by itself."
        )
    if not trial.better:
        return "It is surely worse, and about to be rejected."
    if trial.pinned_by:
        return f"It is surely better. {trial.live} is pinned by {trial.pinned_by}: release it."
    if not trial.promotes:
        return "It is surely better, and waits for a person to promote it."
    return "It is surely better, and about to go live."


def _beside(versions: dict[str, Beside]) -> Node:
    heads = ("", "Answers", "Stopped", "Good", "Bad")
    rows = [
        node(
            "tr",
            "",
            node("th", "", version, scope="row"),
            *(node("td", "", text) for text in _told(beside)),
        )
        for version, beside in versions.items()
    ]
    return node(
        "table",
        "rl-table",
        node("thead", "", node("tr", "", *(node("th", "", h, scope="col") for h in heads))),
        node("tbody", "", *rows),
    )


def _told(beside: Beside) -> list[str]:
    share = beside.stopped / (beside.answers + beside.stopped or 1)
    stopped = f"{beside.stopped} ({percent(share)})"
    return [str(beside.answers), stopped, str(beside.thumbs_up), str(beside.thumbs_down)]


def comparison(compared: Comparisons | None) -> list[Node]:
    """All versions on one axis: how often each would win against the baseline."""
    if compared is None or not compared.data:
        text = "Nobody has compared answers of different versions yet."
        return fragment(node("p", "rl-note", text))
    rows = [
        Row(
            row.version,
            _share(row.strength.value),
            _share(row.strength.low) or 0.0,
            _share(row.strength.high) or 0.0,
            f"{row.wins} won, {row.losses} lost, {row.ties} tied",
        )
        for row in compared.data
        if row.version != compared.baseline
    ]
    what = count(compared.rankings, "ranking")
    note = f"By {what} with answers of several versions; length, lists and headings held equal."
    return fragment(
        forest(rows, f"Would win against {compared.baseline}"), node("p", "rl-note", note)
    )


def _share(odds: float | None) -> float | None:
    return None if odds is None else 1 / (1 + exp(-odds))
