"""The label tab's component: the ranking component with what labelling adds to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.inert import asset

SCRIPTS = ("dom.js", "ranker.js", "label.js", "label_parts.js")


@dataclass(frozen=True)
class Parts:
    """The components of the tab that handlers change."""

    desk: gr.HTML


def layout(functions: list[Callable[..., Any]]) -> Parts:
    """The tab's component, inside the current gr.Tab; the browser calls these functions."""
    return Parts(
        desk=gr.HTML(
            value={},
            html_template='<div class="rl-root rl-label"></div>',
            js_on_load="".join(asset(name) for name in SCRIPTS),
            apply_default_css=False,
            server_functions=functions,
            elem_id="rl-label",
        )
    )
