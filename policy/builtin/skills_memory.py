"""What the person said a turn ago: they tell something of themselves, perhaps talk of something
else, and ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from policy.builtin.facts import coin, content, wordlist
from policy.builtin.lookup import led
from policy.builtin.skills_talk import own_words
from policy.builtin.task import Answer, Scene, Skill, Task

_UNTOLD, _RECALLED = 0.1, 0.8  # shares: asked without having told; asked for after having told
_COINED = 0.45  # share of words that nobody knows, so that recalling is learned as copying
_LOWER = 0.3  # share of names that are typed in lower case
# Values that are also words of the phrases, and so contradict nothing.
_EVERYDAY = frozenset(("will", "may", "nice", "mark", "grace", "joy", "hope"))
_NOT_TOLD_CUES = frozenset(("not told me", "not know", "not tell me", "not said", "unknown"))


def skills() -> list[Skill]:
    """One skill for each entry of `content/memories.toml`."""
    found = content("memories")
    given = {"bare": found["bare"], "plain_greets": found["glad"]}
    entries = [{**given, **entry} for entry in found["memory"]]
    return [Skill(entry["name"], entry.pop("weight"), Memory(**entry).draw) for entry in entries]


@dataclass(frozen=True)
class Memory:
    """Something worth remembering: how it is told (`{x}`), greeted, asked for and recalled."""

    name: str
    values: str  # the list they come from
    tells: Sequence[str]
    greets: Sequence[str]  # replies to the telling that take it up
    plain_greets: Sequence[str]  # and that do not
    questions: Sequence[str]
    echo: Sequence[str]
    bare: Sequence[str]
    asks: Sequence[str]
    topic: str
    is_name: bool = False

    @cached_property
    def cues(self) -> frozenset[str]:
        """The words by which a reply to the telling is known."""
        return own_words((*self.greets, *self.plain_greets))

    def draw(self, rng: Random) -> Scene:
        """The telling, and mostly the question after it; now and then the question alone."""
        if rng.random() < _UNTOLD:
            return (self._not_told(rng),)
        value = self._value(rng)
        if self.is_name and rng.random() < _LOWER:
            value = value.lower()
        told = self._told(rng, value)
        return (told, self._asked(rng, value)) if rng.random() < _RECALLED else (told,)

    def _question(self, rng: Random) -> str:
        return led(rng.choice(content("memories")["leads"]), rng.choice(self.questions))

    def _value(self, rng: Random) -> str:
        known = wordlist(self.values)
        if self.values == "ages" or rng.random() >= _COINED:
            return rng.choice(known)
        coined = coin(rng)
        if coined in wordlist("names"):  # which may be one that is held out
            return self._value(rng)
        return coined if known[0][0].isupper() else coined.lower()

    def _not_told(self, rng: Random) -> Task:
        """The question without the telling: there is nothing to recall."""
        return Task(
            skill="not_told",
            user=self._question(rng),
            bare=content("memories")["not_told"],
            echo=(
                f"you have not told me {self.topic}",
                f"I do not know {self.topic} yet",
                f"{self.topic} is still unknown to me",
            ),
            topic=self.topic,
            details=("tell me and I will keep it in mind", "I only know what you tell me here"),
            asks=("can you tell me?", "would you tell me?"),
            cues=_NOT_TOLD_CUES,
            chatty=True,
        )

    def _told(self, rng: Random, value: str) -> Task:
        return Task(
            skill=f"tell_{self.name}",
            user=rng.choice(self.tells).replace("{x}", value),
            bare=self.plain_greets,
            echo=[greet.replace("{x}", value) for greet in self.greets],
            topic=value,
            details=(
                "I will keep that in mind",
                "thank you for telling me",
                "I like to learn about people",
            ),
            asks=self.asks,
            cues=self.cues | {value.lower()},
            keys=(f"{self.name} {value.lower()}",),
            keep=(value,) if self.is_name else (),
            chatty=True,
        )

    def _asked(self, rng: Random, value: str) -> Task:
        user = self._question(rng)
        others = [other for other in wordlist(self.values) if other.lower() != value.lower()]
        return Task(
            skill=f"recall_{self.name}",
            user=user,
            bare=self.bare,
            echo=self.echo,
            topic=self.topic,
            said=value,
            wrong=rng.sample(others, 6),
            details=(
                "I listened to you",
                "you told me a moment ago",
                "my memory is short but good",
            ),
            asks=("did I get that right?", "do you want to test me again?"),
            answer=Answer(
                frozenset({value.lower()}),
                frozenset(other.lower() for other in others) - _EVERYDAY,
            ),
            cues=frozenset(word.lower() for word in (value, *others)),
            keys=(f"{self.name} {value.lower()}",),
            keep=(value,) if self.is_name else (),
        )
