"""The component that shows a tree of nodes. It knows nothing of what the tree says."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from ui.nodes import Node

ASSETS = Path(__file__).with_name("assets")


@cache
def asset(name: str) -> str:
    """The text of a file in assets/."""
    return (ASSETS / name).read_text(encoding="utf-8")


def inert(value: list[Node] | None = None, **more: Any) -> gr.HTML:
    """A component that shows `ui.nodes` trees.

    The template is static, because Gradio evaluates what a template renders as JavaScript; the
    nodes are built by assets/inert.js. A button node with `data-action` fires the event `action`
    with {"action", "id"}. (A function and not a subclass: Gradio writes a .pyi file beside the
    source of every component class.)
    """
    return gr.HTML(
        value=value or [],
        html_template='<div class="rl-root"></div>',
        js_on_load=asset("dom.js") + asset("inert.js"),
        apply_default_css=False,
        **more,
    )
