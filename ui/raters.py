"""Draws the people who rank: what each one's rankings count, and what that rests on. Pure."""

from __future__ import annotations

from collections import Counter

from ui.data_wire import Rater, Raters, Share
from ui.nodes import Node, fragment, node
from ui.words import count, figure

HEADS = (
    ("Person", ""),
    (
        "A ranking counts",
        "What one of theirs weighs by what is known now, and why it is less than 1",
    ),
    ("Rankings", "How many of theirs can be learned from, and what they weighed in the last round"),
    ("Right", "Share of comparisons that is right, by gold and by what others said of the same"),
    ("Same again", "Share of comparisons that came out alike when they were asked once more"),
    (
        "Leans to",
        "How often the answer shown first, and the longest, came out above: half is no leaning",
    ),
    ("Pace", "Median time of a ranking"),
    ("Not counted", "Rankings left out, or counted for less, over all rounds"),
)


def people(raters: Raters, alarm: str | None = None) -> list[Node]:
    """Everybody who ranked, and in sentences what holds for all; the alarm if there is one."""
    heading = node("h2", "", "Who ranks")
    if not raters.data:
        return fragment(heading, node("p", "rl-note", "Nobody has ranked anything yet."))
    return fragment(
        heading,
        node("p", "rl-wrong", alarm, role="alert") if alarm else None,
        *(node("p", "rl-note", sentence) for sentence in sentences(raters)),
        node(
            "div",
            "rl-scroll",
            node(
                "table",
                "rl-table rl-people",
                node("thead", "", node("tr", "", *(_head(*head) for head in HEADS))),
                node("tbody", "", *(_row(rater, raters.round) for rater in raters.data)),
            ),
            tabindex="0",
            role="group",
            aria_label="Raters",
        ),
    )


def sentences(raters: Raters) -> list[str]:
    """From how many on trust acts, how far people agree, and what was left out so far."""
    number = len(raters.data)
    who = "1 person has ranked" if number == 1 else f"{number} people have ranked"
    if number < raters.people:
        first = (
            f"{who}: everybody counts in full. Trust and caps act from {raters.people} people on."
        )
    else:
        first = f"{who}: trust and caps act, as they do from {raters.people} people on."
    told = [first]
    if raters.alpha is not None:
        told.append(
            f"How far they agree: {figure(float(raters.alpha))} (Krippendorff's alpha: 1 is always,"
            " 0 as chance would have it)."
        )
    for what, found in (
        ("left out", sum((Counter(one.left_out) for one in raters.data), Counter[str]())),
        ("counted for less", sum((Counter(one.lighter) for one in raters.data), Counter[str]())),
    ):
        if found:
            whole = count(found.total(), "ranking")
            told.append(f"Over all rounds {whole} {what}: {_by_kind(found)}.")
    return told


def _by_kind(found: Counter[str]) -> str:
    """'12 by the cap, 3 of newcomers': reasons begin with what acted."""
    kinds: Counter[str] = Counter()
    for reason, number in found.items():
        kinds[reason.partition(":")[0]] += number
    return ", ".join(f"{number} {KINDS.get(kind, kind)}" for kind, number in kinds.most_common())


KINDS = {
    "cap": "beyond what one person may have",
    "newcomer": "of newcomers",
    "skill": "of people who are less often right",
}


def _head(title: str, meaning: str) -> Node:
    return node("th", "", title, scope="col", title=meaning or None)


def _row(rater: Rater, round: int | None) -> Node:
    return node(
        "tr",
        "",
        node("th", "rl-name", rater.id, scope="row"),
        _weight(rater),
        _cell(str(rater.rankings), _in_round(rater, round)),
        _right(rater),
        _share("Same again", rater.self_consistency),
        node("td", "", *_leanings(rater)),
        _cell("" if rater.median_seconds is None else f"{rater.median_seconds:.0f} s"),
        node("td", "", *_reasons("left out", rater.left_out), *_reasons("lighter", rater.lighter)),
    )


def _weight(rater: Rater) -> Node:
    if rater.trust >= 1:
        return _cell("in full")
    said = "nothing" if rater.trust == 0 else figure(float(rater.trust))
    return node(
        "td", "", bar("Weight", rater.trust), node("div", "rl-no", said), _small(rater.reason)
    )


def _in_round(rater: Rater, round: int | None) -> str | None:
    if round is None or rater.round_weight is None:
        return None
    return f"{figure(float(rater.round_weight))} in round {round}"


def _right(rater: Rater) -> Node:
    """By all that can be checked; then what gold alone says, and how far others agree."""
    parts = []
    if rater.gold.share is not None:
        parts.append(f"gold {percent(rater.gold.share)} of {rater.gold.of}")
    if rater.tau_b is not None:
        parts.append(f"agreement {figure(float(rater.tau_b))} (tau: 1 always, 0 chance)")
    small = _small(", ".join(parts) or None)
    if rater.skill is None:
        return node("td", "", node("span", "rl-dim", "not known"), small)
    said = f"{percent(rater.skill)} in {count(rater.checked, 'ranking')}"
    return node("td", "", bar("Right", rater.skill), node("div", "", said), small)


def _share(name: str, share: Share) -> Node:
    if share.share is None:
        return node("td", "", node("span", "rl-dim", "not known"))
    said = f"{percent(share.share)} of {share.of}"
    return node("td", "", bar(name, share.share), node("div", "", said))


def _leanings(rater: Rater) -> list[Node]:
    return [
        node(
            "div",
            "rl-lean",
            lean(name, share.share),
            node("span", "", f"{name} {percent(share.share)}"),
        )
        for name, share in (("first shown", rater.first_shown), ("longest", rater.longest))
        if share.share is not None
    ] or [node("span", "rl-dim", "not known")]


def _reasons(what: str, found: dict[str, int]) -> list[Node]:
    return [node("div", "", f"{number} {what}: {reason}") for reason, number in found.items()]


def _cell(text: str, small: str | None = None) -> Node:
    return node("td", "", text, _small(small))


def _small(text: str | None) -> Node | None:
    return node("div", "rl-dim rl-fine", text) if text else None


# Small pictures; what they show is said in words beside them.


def bar(name: str, share: float) -> Node:
    """How much of the whole."""
    return node("progress", "rl-progress", value=f"{share:.3f}", max=1, aria_label=name)


def lean(name: str, share: float) -> Node:
    """A dot on a line whose middle is no leaning at all."""
    middle = node("line", "rl-level", x1=40, x2=40, y1=1, y2=13)
    line = node("line", "rl-level", x1=4, x2=76, y1=7, y2=7)
    dot = node("circle", "rl-point", cx=f"{4 + 72 * share:.1f}", cy=7, r=4)
    words = f"{name}: {percent(share)}, where half is no leaning"
    return node(
        "svg", "rl-plot", line, middle, dot, viewBox="0 0 80 14", role="img", aria_label=words
    )


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
