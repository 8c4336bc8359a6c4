"""The chat tab's components: the conversation, the answers to rank, and where people write."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from ui.inert import inert
from ui.ranker import ranker


@dataclass(frozen=True)
class Parts:
    """The components of the tab that handlers change."""

    conversation: gr.BrowserState
    asked: gr.BrowserState
    seen: gr.BrowserState
    transcript: gr.HTML
    odds: gr.HTML
    why: gr.Textbox
    past: gr.HTML
    news: gr.HTML
    ranker: gr.HTML
    box: gr.Textbox
    send: gr.Button
    stop: gr.Button
    consent: gr.Checkbox
    consent_text: gr.HTML
    again: gr.Button
    earlier: gr.Button
    agreement: gr.Group
    count: gr.Radio
    temperature: gr.Slider
    system: gr.Textbox
    longest: gr.Slider
    person: gr.Textbox
    remembered: gr.BrowserState


def layout() -> Parts:
    """The tab's components, inside the current gr.Tab, from top to bottom."""
    past = inert(elem_id="rl-past")
    log = inert(elem_id="rl-transcript")
    odds, why = inert(elem_id="rl-odds"), _why()
    news, ranking = inert(elem_id="rl-news"), ranker(elem_id="rl-ranker")
    with gr.Column(elem_id="rl-composer", elem_classes="rl-composer"):
        box, send, stop = _write()
        with gr.Row(elem_classes="rl-tools"):
            count, temperature = _count(), _temperature()
            person = _person()
            earlier = _small("Earlier chats", "rl-earlier")
            again = _small("New chat", "rl-again")
        with gr.Group(visible=False, elem_id="rl-consent") as agreement:
            consent = gr.Checkbox(label="Learn from what I say here", container=False)
            consent_text = inert()
        with gr.Accordion("More", open=False, elem_id="rl-extra"), gr.Row():
            system, longest = _system(), _longest()
    return Parts(
        conversation=_kept("conversation"),
        asked=_kept("asked"),
        seen=_kept("seen"),
        transcript=log,
        odds=odds,
        why=why,
        past=past,
        news=news,
        ranker=ranking,
        box=box,
        send=send,
        stop=stop,
        consent=consent,
        consent_text=consent_text,
        again=again,
        earlier=earlier,
        agreement=agreement,
        count=count,
        temperature=temperature,
        system=system,
        longest=longest,
        person=person,
        remembered=_kept("person"),
    )


def _why() -> gr.Textbox:
    """Asks why of a thumb."""
    return gr.Textbox(
        label="Why? (optional, Enter sends it)",
        max_lines=1,
        max_length=2000,
        visible=False,
        elem_id="rl-why",
    )


def _write() -> tuple[gr.Textbox, gr.Button, gr.Button]:
    """The box, and what sends it; while answers come, what stops them instead."""
    with gr.Row(elem_classes="rl-write"):
        box = gr.Textbox(
            label="Your message",
            placeholder="Ask something…",
            show_label=False,
            container=False,
            lines=1,
            max_lines=6,
            max_length=20_000,
            elem_id="rl-box",
            scale=1,
        )
        send = gr.Button("Send", variant="primary", elem_id="rl-send", scale=0, min_width=84)
        stop = gr.Button("Stop", elem_id="rl-stop", scale=0, min_width=84, visible=False)
    return box, send, stop


def _count() -> gr.Radio:
    return gr.Radio(
        [(str(n), n) for n in (1, 2, 3, 4, 6, 8)],
        value=4,
        label="Answers to compare",
        elem_id="rl-count",
        container=False,
        scale=0,
        min_width=150,
    )


def _temperature() -> gr.Slider:
    return gr.Slider(
        0,
        2,
        value=1,
        step=0.1,
        label="Temperature",
        elem_id="rl-temperature",
        container=False,
        scale=0,
        min_width=150,
    )


def _person() -> gr.Textbox:
    """Where nobody signs in a person is a name of their own choice, kept by the browser."""
    return gr.Textbox(
        label="Who are you?",
        placeholder="local",
        max_lines=1,
        max_length=64,
        visible=False,
        elem_id="rl-person",
        show_label=False,
        container=False,
        scale=0,
        min_width=100,
    )


def _small(text: str, elem_id: str) -> gr.Button:
    return gr.Button(text, elem_id=elem_id, size="sm", scale=0, min_width=90)


def _system() -> gr.Textbox:
    return gr.Textbox(
        label="System prompt",
        placeholder="Stands before the conversation, such as: Answer in one sentence.",
        lines=1,
        max_lines=4,
        max_length=4000,
        elem_id="rl-system",
        scale=3,
    )


def _longest() -> gr.Slider:
    return gr.Slider(
        0,
        1024,
        value=0,
        step=16,
        label="Longest answer, in tokens (0: as long as it takes)",
        elem_id="rl-longest",
        scale=2,
    )


def _kept(name: str) -> gr.BrowserState:
    """A value in the browser's storage; each has one handler that writes it.

    Gradio scrambles it with `secret`, which has to outlive a restart; it hides nothing.
    """
    return gr.BrowserState(storage_key=f"rankloop-{name}", secret="rankloop")
