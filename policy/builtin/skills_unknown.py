"""Questions beyond the model: it says that it does not know, instead of making something up."""

from __future__ import annotations

from functools import cache
from random import Random

from policy.builtin.facts import coin, content, wordlist
from policy.builtin.task import Scene, Skill, Task

_CUES = frozenset(
    (
        "not know",
        "beyond",
        "no idea",
        "cannot answer",
        "cannot say",
        "too big",
        "too small",
        "never learned",
    )
)


def skills() -> list[Skill]:
    """The one skill of this module."""
    return [Skill("unknown", 7.0, _unknown)]


@cache
def _wordings(name: str) -> tuple[str, ...]:
    return tuple(content("wordings")["unknown"][name])


@cache
def _topics() -> tuple[str, ...]:
    return tuple(topic.strip() for topic in content("wordings")["unknown"]["topics"].split(","))


def _unknown(rng: Random) -> Scene:
    chance = rng.random()
    if chance > 0.7:
        return (_stranger(rng),)
    if chance < 0.2:
        user, _, topic = rng.choice(_wordings("real")).partition(" | ")
        return (_task(user, topic, user),)
    if chance < 0.3:
        name = rng.choice(wordlist("names")) if rng.random() < 0.5 else coin(rng)
        user = rng.choice(_wordings("person")).replace("{x}", name)
        return (_task(user, name, f"unknown {name}", keep=(name,)),)
    coined = rng.random() >= 0.8
    topic = f"{coin(rng).lower()} {coin(rng).lower()}" if coined else rng.choice(_topics())
    user = rng.choice(_wordings("topic")).replace("{x}", topic)
    return (_task(user, topic, user, keep=(topic,) if coined else ()),)


def _stranger(rng: Random) -> Task:
    """A question of a kind that the model knows, about something that it does not."""
    chance = rng.random()
    if chance < 0.3:
        x, y = str(rng.randint(101, 2000)), str(rng.randint(11, 999))
        user = rng.choice(_wordings("sum")).replace("{x}", x).replace("{y}", y)
        return _task(user, x, user)
    if chance < 0.6:
        land = rng.choice(wordlist("lands")) if rng.random() < 0.6 else coin(rng)
        user = rng.choice(_wordings("land")).replace("{x}", land)
        return _task(user, land, user, keep=(land,))
    thing = rng.choice(wordlist("strangers")) if rng.random() < 0.7 else coin(rng).lower()
    user = rng.choice(_wordings("thing")).replace("{x}", thing)
    return _task(user, thing, user, keep=(thing,))


def _task(user: str, topic: str, key: str, keep: tuple[str, ...] = ()) -> Task:
    return Task(
        skill="unknown",
        user=user,
        bare=_wordings("bare"),
        echo=[echo.replace("{t}", topic) for echo in _wordings("echo")],
        topic=topic,
        details=_wordings("details"),
        asks=_wordings("asks"),
        cues=_CUES,
        keys=(key,),
        keep=keep,
        chatty=True,
    )
