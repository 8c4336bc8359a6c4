"""Tells a person that another version is live, and lets the old and the new one answer again.

Knows no components: nodes out.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from ui.client import ApiError, Client, Message, Refused
from ui.nodes import Node, fragment, node
from ui.streams import Answers
from ui.wire import Version


@dataclass(frozen=True)
class Retold:
    """What one version answers now; `text` may say why there is no answer."""

    version: str
    text: str
    failed: bool = False


def headline(version: Version) -> str:
    """One sentence on where the live version came from."""
    arrivals = [event for event in version.events if event.to == "live"]
    if len(arrivals) > 1:
        reason = arrivals[-1].reason
        return f"{version.id} answers again" + (f": {reason}" if reason else ".")
    learned = version.learned_from
    if not learned.rankings:
        return f"{version.id} answers now."
    noun = "ranking" if learned.rankings == 1 else "rankings"
    return f"{version.id} learned from {learned.rankings} {noun}, {learned.yours} of them yours."


def news(version: Version, asked: list[Message], retold: list[Retold]) -> list[Node]:
    """The announcement; `asked` is the prompt ranked last, `retold` its answers, old and new."""
    prompt = asked[-1].content if asked else None
    return fragment(
        node(
            "section",
            "rl-news",
            node(
                "header",
                "rl-news-head",
                node("h2", "", f"{version.id} is live"),
                node(
                    "button",
                    "rl-button rl-quiet",
                    "Close",
                    type="button",
                    data_action="dismiss",
                    aria_label=f"Close the news about {version.id}",
                ),
            ),
            node("p", "rl-lead", headline(version), role="status"),
            node("p", "rl-note", "You ranked last: ", node("b", "", prompt)) if prompt else None,
            node("div", "rl-pair", *map(_answer, ("before", "now"), retold)) if retold else None,
            aria_label="News",
        )
    )


def _answer(when: str, one: Retold) -> Node:
    return node(
        "div",
        "rl-card",
        node("div", "rl-card-head", when, node("span", "rl-badge", one.version)),
        node("div", "rl-wrong" if one.failed else "rl-text", one.text or "…"),
    )


async def retell(
    client: Client, versions: list[str], asked: list[Message], person: str | None
) -> AsyncGenerator[list[Retold]]:
    """Let each version answer `asked`, greedily so that only the weights differ."""
    told: list[Retold] = []
    for version in versions:
        answers = Answers(
            client.chat(
                asked,
                temperature=0.0,
                person=person,
                model=f"rankloop@{version}",
                learn=False,
            ),
            1,
        )
        try:
            async for _ in answers.frames():
                yield [*told, Retold(version, answers.answers[0].text)]
            told.append(Retold(version, answers.answers[0].text))
        except Refused as error:
            gone = error.code == "version_not_resident"
            text = f"{version} is not in memory any more." if gone else str(error)
            told.append(Retold(version, text, failed=True))
        except ApiError as error:
            told.append(Retold(version, str(error), failed=True))
        yield told
