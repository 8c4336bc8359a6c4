"""A reply in a given style: parts are drawn until the text measures as what was asked for.

So the axes are independent of the prompt and of each other by construction, as far as the phrases
allow.
"""

from __future__ import annotations

import re
from random import Random

from policy.builtin import phrases
from policy.builtin.lookup import with_articles
from policy.builtin.style import Style, measure
from policy.builtin.task import Task

_TRIES = 60
_DETAILS = {"brief": (0, 0, 0, 1), "medium": (0, 1, 1), "long": (1, 2)}


def compose(task: Task, style: Style, rng: Random) -> str:
    """A reply to `task` that says its answer; the nearest of the tries where none fits."""
    best, best_score = "", -1
    for _ in range(_TRIES):
        opener, parts = _parts(task, style, rng)
        reply = _render(opener, parts, style, rng, task.keep)
        got = measure(task.user, reply)
        score = sum(getattr(got, axis) == getattr(style, axis) for axis in Style.__slots__)
        if score > best_score:
            best, best_score = reply, score
        if score == len(Style.__slots__):
            break
    return best


def _parts(task: Task, style: Style, rng: Random) -> tuple[str, list[str]]:
    """The opener, if any, and what follows it; a question back comes last and keeps its mark."""
    tone = (style.warmth, style.formality)
    core = _core(task, style, rng)
    at_front = rng.random() < 0.55
    marked = tone != ("plain", "neutral")
    opener = rng.choice(phrases.openers(*tone)) if at_front else ""
    parts = [*core, *_details(task, style, rng)]
    if (marked and not at_front) or (style.length == "long" and rng.random() < 0.4):
        parts.append(rng.choice(phrases.closers(*tone)))
    if style.asks_back == "yes":
        own = task.asks if task.asks and rng.random() < 0.5 else phrases.asks(style.formality)
        parts.append(rng.choice(own))
    contracted = [_contract(part, style, rng) for part in (opener, *parts)]
    return contracted[0], [part for part in contracted[1:] if part]


def _core(task: Task, style: Style, rng: Random) -> list[str]:
    if style.form != "sentence" and task.items and rng.random() < 0.8:
        core = list(task.items)
    else:
        own = style.takes_up == "yes" and task.echo and rng.random() < 0.75
        core = [rng.choice(task.echo if own else task.bare).replace("{a}", task.said)]
        if own:
            return core
    if style.takes_up == "yes" and task.topic:
        core.insert(0, rng.choice(phrases.take_ups(style.formality)).replace("{t}", task.topic))
    return core


def _details(task: Task, style: Style, rng: Random) -> list[str]:
    """Each place has words of its own: a model that forgets what it said cannot say it twice."""
    own, fillers = list(task.details), phrases.fillers(task.chatty)
    first = own if own and rng.random() < 0.7 else fillers[: len(fillers) // 2]
    second = fillers[len(fillers) // 2 :]
    return [rng.choice(pool) for pool in (first, second)[: rng.choice(_DETAILS[style.length])]]


def _contract(part: str, style: Style, rng: Random) -> str:
    if style.formality == "casual" and rng.random() < 0.85:
        for full, short in phrases.contractions():
            if full in part:  # it seldom is
                part = re.sub(rf"\b{full} (?=\w)", f"{short} ", part)
    return part


def _render(opener: str, parts: list[str], style: Style, rng: Random, keep: tuple[str, ...]) -> str:
    stop = {"standard": ".", "lower": "", "excited": "!"}[style.marks]
    if style.form == "sentence":
        sentences = _joined([opener, *parts])
        text = " ".join(_sentence(part, stop or ".", style) for part in sentences)
        text = text.removesuffix(".") if style.marks == "lower" else text
    else:
        runs_on = opener.endswith((",", ":"))
        head = [] if runs_on or not opener else [_sentence(opener, stop, style)]
        listed = _joined([opener, *parts] if runs_on else parts)
        lines = [_sentence(part, stop, style) for part in listed]
        text = "\n".join((*head, *_bullets(lines, style, rng)))
    text = with_articles(text)
    return _lower(text, keep) if style.marks == "lower" else text


def _joined(parts: list[str]) -> list[str]:
    """Openers that end with a comma or a colon are run into the next part."""
    joined: list[str] = []
    for part in filter(None, parts):
        if joined and joined[-1].endswith((",", ":")):
            joined[-1] = f"{joined[-1]} {part}"
        else:
            joined.append(part)
    return [part.rstrip(",:") for part in joined]


def _sentence(part: str, stop: str, style: Style) -> str:
    if style.marks != "lower":
        part = part[:1].upper() + part[1:]
    return part if part.endswith("?") else part + stop


def _bullets(sentences: list[str], style: Style, rng: Random) -> list[str]:
    """One sentence a line, bulleted; a question back may stand below the list."""
    below = sentences[-1].endswith("?") and len(sentences) > 2 and rng.random() < 0.5
    listed = sentences[:-1] if below else sentences
    lines = [
        f"- {line}" if style.form == "dashes" else f"{number}. {line}"
        for number, line in enumerate(listed, 1)
    ]
    return lines + sentences[-1:] if below else lines


def _lower(text: str, keep: tuple[str, ...]) -> str:
    lowered = text.lower()
    for name in keep:
        lowered = lowered.replace(name.lower(), name)
    return lowered
