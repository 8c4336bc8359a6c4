"""Skills that answer from a table: one wording, one fact, one answer. It knows no style."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from policy.builtin import phrases
from policy.builtin.facts import content, table
from policy.builtin.style import words
from policy.builtin.task import Answer, Scene, Skill, Task

_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")


def skills() -> list[Skill]:
    """One skill for each entry of `content/lookups.toml`."""
    found = content("lookups")
    entries = [{"bare": found["bare"], **entry} for entry in found["lookup"]]
    return [Skill(entry["name"], entry.pop("weight"), Lookup(**entry).draw) for entry in entries]


def bare() -> list[str]:
    """Answers in full without the person's words, for any answer `{a}`."""
    return list(content("lookups")["bare"])


@dataclass(frozen=True)
class Lookup:
    """A table with its wordings. `{x}` is what is asked about, `{ax}` the same with an article."""

    name: str
    facts: str  # the table's name
    questions: Sequence[str]
    echo: Sequence[str]
    details: Sequence[str]
    asks: Sequence[str]
    bare: Sequence[str]
    follow_up: bool = True  # whether a bare "and {x}?" makes sense as a second question

    @cached_property
    def _taken(self) -> frozenset[str]:
        """Words of phrases, which can neither be an answer nor contradict one."""
        said = [*phrases.every_phrase(), *self.details, *self.asks, *self.bare]
        return frozenset(word for phrase in said for word in words(phrase))

    @cached_property
    def _known(self) -> list[tuple[str, tuple[str, ...]]]:
        rows = [(asked, tuple(answer.split("/"))) for asked, answer in table(self.facts).items()]
        return [(asked, said) for asked, said in rows if not self._taken & set(map(_plain, said))]

    @cached_property
    def answers(self) -> frozenset[str]:
        """Every answer of the table, in lower case."""
        return frozenset(_plain(answer) for _, answers in self._known for answer in answers)

    @cached_property
    def said(self) -> tuple[str, ...]:
        """Every answer that is said, as it is said."""
        return tuple(sorted({answers[0] for _, answers in self._known}))

    def draw(self, rng: Random) -> Scene:
        """One question, or now and then two, the second one as short as people make it."""
        leads, again = content("lookups")["leads"], content("lookups")["again"]
        first = self._task(rng, led(rng.choice(leads), rng.choice(self.questions)))
        if self.follow_up and rng.random() < 0.12:
            return (first, self._task(rng, rng.choice(again)))
        return (first,)

    def _task(self, rng: Random, wording: str) -> Task:
        asked, answers = rng.choice(self._known)
        fill = {"{ax}": article(asked), "{x}": asked}
        user = _filled(wording, fill)
        accepted = frozenset(_plain(answer) for answer in answers)
        rivals = self.answers - accepted - self._taken - set(words(user)) - {asked.lower()}
        return Task(
            skill=self.name,
            user=user,
            bare=self.bare,
            echo=[_filled(echo, fill) for echo in self.echo],
            topic=asked,
            said=answers[0],
            wrong=tuple(other for other in self.said if _plain(other) in rivals),
            details=self.details,
            asks=self.asks,
            answer=Answer(accepted, rivals),
            cues=self.answers,
            keys=(f"{wording}|{asked}",),
        )


def article(noun: str) -> str:
    """The noun with "a" or "an" before it."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def with_articles(text: str) -> str:
    """`text` with "an" where it says "a" before a vowel."""
    return _ARTICLE.sub(r"\1n ", text)


def led(lead: str, wording: str) -> str:
    """`wording` after `lead`, without its capital."""
    plain = not lead or wording.startswith(("I ", "I'", "{", "One ", "Today ", "AI"))
    return lead + (wording if plain else wording[0].lower() + wording[1:])


def _filled(template: str, fill: Mapping[str, str]) -> str:
    for place, text in fill.items():
        template = template.replace(place, text)
    return template


def _plain(answer: str) -> str:
    """What a right reply must hold: the answer's words, a single noun without its article."""
    found = words(answer)
    return " ".join(found[1:] if len(found) == 2 and found[0] in ("a", "an", "the") else found)
