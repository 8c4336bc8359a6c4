"""The data tab's components."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.inert import asset, inert

FORMATS = {
    "rankloop": "rankloop: everything, to rebuild a record",
    "trl-preference": "trl-preference: rankings, a pair a line",
    "trl-unpaired": "trl-unpaired: thumbs",
    "trl-prompt-completion": "trl-prompt-completion: demonstrations",
    "openai-messages": "openai-messages: demonstrations",
    "openai-preference": "openai-preference: rankings, a pair a line",
    "hh": "hh: rankings as transcripts",
    "oasst": "oasst: rankings as message trees",
    "ultrafeedback": "ultrafeedback: rankings and ratings",
}
"""What can be taken away and brought, in words."""

PROMPTS = {"prompts": "prompts: questions whose answers people are to rank"}
"""What can be brought besides."""


@dataclass(frozen=True)
class Parts:
    """The components of the tab that handlers change."""

    exchange: gr.HTML
    people: gr.HTML
    sets: gr.HTML


def layout(functions: list[Callable[..., Any]]) -> Parts:
    """The tab's components, inside the current gr.Tab; the browser calls these functions."""
    exchange = gr.HTML(
        value={},
        html_template=form(),
        js_on_load=asset("dom.js") + asset("data.js"),
        apply_default_css=False,
        server_functions=functions,
        elem_id="rl-exchange",
    )
    return Parts(exchange, people=inert(elem_id="rl-people"), sets=inert(elem_id="rl-sets"))


def form() -> str:
    """Static HTML, because a file is chosen in a field that no tree of nodes can hold."""
    taken = "".join(_option(name, words) for name, words in FORMATS.items())
    brought = _option("", "Chosen by the file's first line")
    brought += taken + "".join(_option(name, words) for name, words in PROMPTS.items())
    return asset("data.html").replace("<!--brought-->", brought).replace("<!--taken-->", taken)


def _option(name: str, words: str) -> str:
    return f'<option value="{name}">{words}</option>'
