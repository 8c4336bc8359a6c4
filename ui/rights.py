"""Which parts of the page a visitor is shown: those whose calls the API takes from them.

That is manners and no protection: the API refuses whatever is not theirs, whoever asks for it. All
parts but the chat are hidden until the page has asked for whom it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from ui.visitor import Visitor, current

Update = dict[Any, Any]

TABS: Mapping[str, tuple[str, ...]] = {
    "chat": ("chat",),
    "label": ("rank",),
    "demonstrate": ("rank",),
    "data": ("read", "operate", "admin"),
    "learner": ("read", "operate"),
    "progress": ("read",),
    "versions": (),
}
"""Any of these; without one, whoever there is."""


class Rights:
    """Shows and hides. `parts`: components by the scopes that all of them need together."""

    def __init__(
        self,
        tabs: gr.Tabs,
        by_name: Mapping[str, gr.Tab],
        parts: Mapping[tuple[str, ...], Sequence[Any]],
        signed_in: Sequence[Any],
        local: Sequence[Any],
    ) -> None:
        self._tabs, self._by_name = tabs, by_name
        self._parts = parts
        self._signed_in, self._local = signed_in, local

    @property
    def shown(self) -> list[Any]:
        """What changes."""
        found = [part for some in self._parts.values() for part in some]
        return [self._tabs, *self._by_name.values(), *found, *self._signed_in, *self._local]

    def show(self) -> Update:
        """The page as its visitor may use it."""
        who = current()
        update: Update = {
            tab: gr.update(visible=opens(name, who)) for name, tab in self._by_name.items()
        }
        if not opens("chat", who):
            first = next(name for name in self._by_name if opens(name, who))
            update[self._tabs] = gr.Tabs(selected=first)
        for needs, some in self._parts.items():
            may = all(who.may(need) for need in needs)
            update |= {part: gr.update(visible=may) for part in some}
        update |= {part: gr.update(visible=who.is_signed_in) for part in self._signed_in}
        return update | {part: gr.update(visible=not who.is_signed_in) for part in self._local}


def opens(tab: str, who: Visitor) -> bool:
    """Whether the visitor can do anything there."""
    return not TABS[tab] or who.may(*TABS[tab])
