"""Draws the conversation. Pure: turns in, nodes out."""

from __future__ import annotations

from ui.memory import Answer, Conversation, Turn
from ui.nodes import Node, fragment, node
from ui.thumbs import buttons

EXAMPLES = (
    "Hello! My name is Mia.",
    "What is the opposite of hot?",
    "Can you recommend a film?",
    "Name three animals.",
)


def transcript(
    conversation: Conversation,
    *,
    welcome: str = "",
    streaming: Answer | None = None,
    busy: bool = False,
    note: str | None = None,
    wrong: bool = False,
) -> list[Node]:
    """The conversation as a log; `streaming` is an answer in the making.

    `note` says why the last message has no answer, `wrong` whether something went wrong.
    """
    if not conversation.turns:
        return fragment(_welcome(welcome))
    turns = conversation.turns
    calm = not busy and streaming is None
    bubbles = [
        _bubble(turn, place, last=place == len(turns) - 1, calm=calm)
        for place, turn in enumerate(turns)
    ]
    if streaming is not None:
        bubbles.append(_growing(streaming))
    elif conversation.unanswered and not busy:
        bubbles.append(_unanswered(note or "Not answered.", wrong))
    log = node("ol", "rl-log", *bubbles)
    return fragment(
        node("div", "", log, role="log", aria_label="Conversation", aria_busy=_flag(busy))
    )


def _welcome(text: str) -> Node:
    return node(
        "section",
        "rl-welcome",
        node("h2", "", "Ask something, rank what comes back"),
        node("p", "rl-lead", text),
        node(
            "ul",
            "rl-examples",
            *(
                node(
                    "li",
                    "",
                    node(
                        "button", "rl-example", text, type="button", data_action="ask", data_id=text
                    ),
                )
                for text in EXAMPLES
            ),
            aria_label="Examples to start with",
        ),
    )


def _bubble(turn: Turn, place: int, *, last: bool, calm: bool) -> Node:
    """A turn with what can be done with it, which is nothing while answers come."""
    if turn.role == "user":
        # The last one, while it is unanswered, has its own button to be edited.
        acts = [_act("Edit", "rewrite", place)] if calm and not last else []
        said = node("div", "rl-text", turn.text)
        return node("li", "rl-turn rl-user", _spoken("You"), said, *_foot(acts))
    acts = []
    if turn.candidate is not None and not turn.stopped:
        acts += buttons(place, turn.thumb)
    if last:
        acts.append(_act("Another answer", "another", place))
    foot = node("div", "rl-foot", _badge(turn.version), *_marks(turn), *(acts if calm else ()))
    return node("li", "rl-turn rl-model", _spoken("Model"), _answered(turn), foot)


def _act(text: str, action: str, place: int) -> Node:
    return node("button", "rl-act", text, type="button", data_action=action, data_id=place)


def _foot(acts: list[Node]) -> list[Node]:
    return [node("div", "rl-foot", *acts)] if acts else []


def _answered(turn: Turn) -> Node:
    """An answer on record says what its words were drawn from."""
    if turn.candidate is None or turn.stopped:
        return node("div", "rl-text", turn.text)
    hint = "Click a word to see what it was drawn from"
    return node("div", "rl-text", turn.text, data_words=turn.candidate, title=hint)


def _marks(turn: Turn) -> list[Node]:
    marks: list[Node] = []
    if turn.ranked:
        marks.append(node("span", "rl-mark", f"ranked best of {turn.chosen_of}"))
    if turn.stopped:
        marks.append(node("span", "rl-mark", "stopped"))
    return marks


def _growing(answer: Answer) -> Node:
    return node(
        "li",
        "rl-turn rl-model",
        _spoken("Model"),
        node("div", "rl-text", answer.text, node("span", "rl-caret", aria_hidden="true")),
        node("div", "rl-foot", _badge(answer.version)),
    )


def _unanswered(note: str, wrong: bool) -> Node:
    return node(
        "li",
        "rl-turn rl-open",
        node("p", "rl-wrong" if wrong else "rl-note", note, role="status"),
        node("button", "rl-button", "Try again", type="button", data_action="retry"),
        node("button", "rl-button rl-quiet", "Edit", type="button", data_action="edit"),
    )


def _badge(version: str | None) -> Node | None:
    if version is None:
        return None
    return node("span", "rl-badge", version, title="The version that answered")


def _spoken(who: str) -> Node:
    """Who speaks, for people who hear the page; others see it from the side and the shape."""
    return node("span", "rl-spoken", f"{who}: ")


def _flag(yes: bool) -> str:
    return "true" if yes else "false"
