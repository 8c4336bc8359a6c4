"""Small talk: greetings, thanks, feelings, news, recommendations, who the model is.

There is no right answer, but there is a point.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from policy.builtin import phrases
from policy.builtin.facts import content, table, wordlist
from policy.builtin.lookup import article, led, with_articles
from policy.builtin.style import marks, words
from policy.builtin.task import Scene, Skill, Task


def skills() -> list[Skill]:
    """One skill for each entry of `content/talks.toml` and `content/matters.toml`, and animals'."""
    entries = [dict(entry) for name in ("talks", "matters") for entry in content(name)["talk"]]
    for entry in entries:
        if "things_from" in entry:
            entry["things"] = wordlist(entry.pop("things_from"))
    talks = [Skill(entry["name"], entry.pop("weight"), Talk(**entry).draw) for entry in entries]
    return [*talks, Skill("animal_fact", 2.0, _animal_fact)]


@dataclass(frozen=True)
class Talk:
    """People's wordings, replies that take them up (`{t}` is the wording's own matter), and others.

    A wording may end in `| matter`; `{x}` in it is one of `things`.
    """

    name: str
    wordings: Sequence[str]
    bare: Sequence[str]
    echo: Sequence[str]
    details: Sequence[str]
    asks: Sequence[str]
    things: Sequence[str] = ()
    known_by: Sequence[str] = ()  # further words by which a reply is known

    @cached_property
    def cues(self) -> frozenset[str]:
        """The words by which a reply is known."""
        return own_words((*self.bare, *self.echo)) | frozenset(self.known_by)

    def draw(self, rng: Random) -> Scene:
        """One turn."""
        wording, _, matter = rng.choice(self.wordings).partition(" | ")
        thing = rng.choice(self.things) if self.things else ""
        topic = matter.replace("{x}", thing) or thing
        lead = rng.choice(content("talks")["leads"])
        task = Task(
            skill=self.name,
            user=with_articles(led(lead, wording.replace("{x}", thing))),
            bare=self.bare,
            echo=[reply.replace("{t}", topic) for reply in self.echo],
            topic=topic,
            details=self.details,
            asks=self.asks,
            cues=self.cues,
            chatty=True,
        )
        return (task,)


def own_words(replies: Iterable[str]) -> frozenset[str]:
    """What these replies are known by: themselves, and those of their words that are not common."""
    replies = tuple(replies)
    common = {word for phrase in phrases.every_phrase() for word in words(phrase)} - {"nice"} | {
        "try"
    }
    own = {word for reply in replies for word in words(re.sub(r"\{.\}", "", reply))}
    whole = {" ".join(words(phrases.expanded(reply))) for reply in replies if "{" not in reply}
    return frozenset(own - common - marks("stop")) | {phrase for phrase in whole if " " in phrase}


def _animal_fact(rng: Random) -> Scene:
    animal = rng.choice(list(table("animal_facts")))
    named, fact = article(animal), table("animal_facts")[animal]
    user = rng.choice(content("matters")["animal_wordings"]).replace("{x}", named)
    rest = fact.split(animal, 1)[1].strip()
    task = Task(
        skill="animal_fact",
        user=user,
        bare=(f"it {rest}", f"I read that it {rest}", f"one thing: it {rest}"),
        echo=(fact, f"I read that {fact}", f"{animal}: it {rest}"),
        topic=animal,
        details=(
            "nature is full of such things",
            "I read that somewhere",
            "children like that fact",
        ),
        asks=("did you know that?", f"have you ever met {named}?"),
        cues=frozenset({animal, rest}),
        keys=(user,),
    )
    return (task,)
