"""The strip on top of every tab: what is live, what waits, what runs, and whether all is well.

It is also the page's pulse: assets/status.js asks `poll` now and then, and only while the page is
looked at, whether anything is new, and fires `refresh` where something is, and `swapped` where
another version answers than before.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.inert import asset
from ui.nodes import Node, fragment, node
from ui.visitor import NOBODY, Visitor
from ui.watch import View, Watch
from ui.wire import Learner
from ui.words import duration

KEPT = "Nothing you typed is lost; this page goes on by itself as soon as it is back."
STAGES = {"ppo": "PPO", "sft": "SFT", "reward": "reward model"}


def header(watch: Watch) -> gr.HTML:
    """The component; fires `refresh` and `swapped` with nothing."""

    async def poll(revision: str) -> dict[str, Any]:
        view = await watch.view()
        return {"revision": view.revision, "answering": view.answering, "every": view.every_s}

    return gr.HTML(
        value=strip(View(), NOBODY),
        html_template='<div class="rl-root"></div>',
        js_on_load=asset("dom.js") + asset("status.js"),
        apply_default_css=False,
        server_functions=[poll],
        elem_id="rl-header",
    )


def strip(view: View, who: Visitor) -> dict[str, Any]:
    """The component's value, for that visitor."""
    live, learner = view.live, view.learner
    return {
        "nodes": fragment(
            node(
                "header",
                "rl-top",
                node("h1", "rl-brand", node("span", "rl-logo", aria_hidden="true"), "Rankloop"),
                node(
                    "div",
                    "rl-pills",
                    _pill("Live", live.id, "The version that answers now") if live else None,
                    _waiting(learner) if learner else None,
                    _learner(learner) if learner else None,
                ),
                _signed_in(who) if who.is_signed_in else None,
            ),
            _banner(f"{view.error} {KEPT}") if view.error else None,
            _banner("The server is up and loads its model.") if view.loading else None,
            _banner(live.problem) if live and live.problem else None,
            _banner(" ".join(learner.alarms)) if learner and learner.alarms else None,
        )
    }


def _signed_in(who: Visitor) -> Node:
    """Who it is, and the ways out: assets/status.js goes where a button's data-go says."""
    has_password = not who.owner and who.way != "openid"
    return node(
        "div",
        "rl-who",
        node("span", "rl-person", "the owner" if who.owner else who.person, title="Signed in"),
        _way("Password", "/password", "Change your password") if has_password else None,
        _way("Sign out", "/sign-out", "Sign out in this browser", post=True),
    )


def _way(text: str, to: str, title: str, *, post: bool = False) -> Node:
    where = {"data_post": to} if post else {"data_go": to}
    return node("button", "rl-button rl-quiet", text, type="button", title=title, **where)


def _learner(learner: Learner) -> Node:
    # Narrow windows leave out what says nothing new.
    css = "rl-more" if learner.state == "idle" else ""
    return _pill("Learner", activity(learner), "What the learner does", css)


def _pill(name: str, text: str, title: str, css: str = "") -> Node:
    return node("span", f"rl-pill {css}", node("span", "rl-dim", name), " ", text, title=title)


def _waiting(learner: Learner) -> Node:
    waiting = learner.waiting
    return node(
        "span",
        "rl-pill rl-waiting",
        node(
            "progress",
            "rl-progress",
            value=min(waiting.rankings, waiting.needed),
            max=waiting.needed,
            aria_label="Rankings until the next round",
        ),
        node(
            "span",
            "",
            f"{waiting.rankings} of {waiting.needed} rankings",
            node("span", "rl-more", " wait for the next round"),
        ),
    )


def activity(learner: Learner) -> str:
    """What the learner does, in a few words."""
    if learner.state != "running":
        return {"dead": "not running", "starting": "starting"}.get(learner.state, learner.state)
    parts = [f"round {learner.round}" if learner.round else "round"]
    if learner.stage:
        parts.append(STAGES.get(learner.stage, learner.stage))
    if learner.step is not None and learner.steps and learner.steps > 1:
        parts.append(f"step {learner.step} of {learner.steps}")
    if learner.eta_s is not None:
        parts.append(f"about {duration(learner.eta_s)} left")
    return ", ".join(parts)


def _banner(text: str) -> Node:
    return node("p", "rl-banner", text, role="alert")


def welcome(who: Visitor) -> str:
    """What everybody is told first."""
    if who.is_signed_in:
        whose = "Whoever signs in with the key shares one record. " if who.owner else ""
        return (
            f"{whose}Tick the box below, and your rankings train the model: after enough of them "
            "it learns, and its next version answers here."
        )
    return (
        "No keys are set: everybody here is local, or the name they give, and rankings train the "
        "model: after enough of them it learns, and its next version answers here."
    )
