"""The demonstrate tab's components."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from ui.draft import Draft
from ui.inert import inert
from ui.nodes import Node, fragment, node

LEAD = (
    "Show the model what you would answer: write what a person says and the answer to it, or go "
    "on and play both sides. Begin from the model's own answer if that is near. Nothing is lost "
    "when you leave; what you save is learned from when enough people have shown something."
)
TURNS = {False: "A person says", True: "The assistant should answer"}


@dataclass(frozen=True)
class Kept:
    """What the browser keeps: the draft, what is being written, and what a click did to that."""

    draft: gr.BrowserState
    typed: gr.BrowserState
    moved: gr.BrowserState


def kept() -> Kept:
    """Outside of any tab: what is in a tab is read from the browser once that is opened."""
    return Kept(*(gr.BrowserState(storage_key=f"rankloop-{n}", secret="rankloop") for n in NAMES))


NAMES = ("draft", "typed", "moved")


@dataclass(frozen=True)
class Parts:
    """The components of the tab that handlers change."""

    log: gr.HTML
    system: gr.Textbox
    box: gr.Textbox
    add: gr.Button
    suggest: gr.Button
    back: gr.Button
    save: gr.Button
    clear: gr.Button
    result: gr.HTML


def layout() -> Parts:
    """The tab's components, inside the current gr.Tab."""
    log = inert(elem_id="rl-draft")
    with gr.Column(elem_classes="rl-decide"):
        box = gr.Textbox(
            label=TURNS[False], lines=3, max_lines=12, max_length=20_000, elem_id="rl-draft-box"
        )
        with gr.Row(elem_classes="rl-buttons"):
            save = gr.Button("Save demonstration", variant="primary", elem_id="rl-draft-save")
            add = gr.Button("Add turn", elem_id="rl-draft-add")
            suggest = gr.Button("Begin from the model's answer", elem_id="rl-draft-suggest")
            back = gr.Button("Take back", elem_id="rl-draft-back")
            clear = gr.Button("Start over", elem_id="rl-draft-clear")
        system = gr.Textbox(
            label="System prompt (optional)",
            max_lines=4,
            max_length=4000,
            elem_id="rl-draft-system",
        )
        result = inert(elem_id="rl-draft-result")
    return Parts(log, system, box, add, suggest, back, save, clear, result)


def drawn(draft: Draft, growing: str | None = None) -> list[Node]:
    """The turns so far as a conversation, or what the tab is for; `growing` is an answer of the
    model that is still being written.
    """
    if not draft.turns:
        head = node("h2", "", "Write the answer that should have come")
        return fragment(node("section", "rl-welcome", head, node("p", "rl-lead", LEAD)))
    turns = [_turn(text, i % 2 == 1) for i, text in enumerate(draft.turns)]
    if growing is not None:
        turns.append(_growing(growing))
    return fragment(
        node("div", "", node("ol", "rl-log", *turns), role="log", aria_label="Demonstration")
    )


def _turn(text: str, answer: bool) -> Node:
    who = node("span", "rl-spoken", "Assistant: " if answer else "Person: ")
    css = "rl-turn rl-model" if answer else "rl-turn rl-user"
    return node("li", css, who, node("div", "rl-text", text))


def _growing(text: str) -> Node:
    """Comes into the box when it is complete."""
    caret = node("span", "rl-caret", aria_hidden="true")
    who = node("span", "rl-spoken", "The model writes: ")
    return node("li", "rl-turn rl-model", who, node("div", "rl-text", text, caret))
