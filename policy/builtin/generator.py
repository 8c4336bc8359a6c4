"""Conversations to learn from and prompts to be measured by, both endless and fixed by a seed.

1. A scene of one skill (its last turn is the point), sometimes with small talk before or between.
2. Every reply's style is drawn on its own; a small share of the answers is wrong on purpose.
3. Wordings, names and numbers are split by a hash: a held-out prompt's last turn holds something
   that no training conversation holds anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import blake2b
from random import Random

from policy.builtin import (
    checks,
    lookup,
    phrases,
    skills_memory,
    skills_numbers,
    skills_sense,
    skills_talk,
    skills_unknown,
    style,
)
from policy.builtin.compose import compose
from policy.builtin.facts import content
from policy.builtin.grammar import Grammar
from policy.builtin.hurry import typed
from policy.builtin.task import Scene, Skill, Task, mistaken
from policy.chat import Message

SPLITS = ("train", "held_out")
_HELD_OUT = 10  # one key in so many is held out
_SYSTEM_SHARE = 0.08
_TASKS_READ = 150  # of each skill, for the grammar
_MODULES = (lookup, skills_numbers, skills_sense, skills_memory, skills_talk, skills_unknown)


@dataclass(frozen=True)
class Example:
    """A conversation to learn from; the last message is the assistant's, `skill` is its skill."""

    messages: tuple[Message, ...]
    skill: str
    answers: tuple[Sequence[str], ...] = ()  # for each assistant's turn, the words that answer


@dataclass(frozen=True)
class Prompt:
    """A conversation up to a person's turn, with the checkers of what may follow."""

    messages: tuple[Message, ...]
    skill: str
    checkable: bool
    task: Task = field(repr=False)

    def on_topic(self, reply: str) -> bool:
        """Well-formed and to the point: the generator's language, with a word of the skill's."""
        said = " ".join(message.content for message in self.messages)
        return checks.belongs(self.task, reply) and _grammar().accepts(reply, said)

    def right(self, reply: str) -> bool | None:
        """Whether the reply holds the answer and nothing against it; None where none is right."""
        return None if self.task.answer is None else checks.right(self.task.answer, reply)


def examples(
    seed: int, split: str = "train", *, brief: bool = False, wrong: float = style.WRONG_SHARE
) -> Iterator[Example]:
    """Endless conversations, the same for the same seed; with `brief`, of brief replies only.

    `wrong` is the share of replies that answer wrongly on purpose.
    """
    rng = Random(f"{seed} {split} {brief} examples")
    while True:
        tasks = _conversation(rng, split)
        messages = _system(rng)
        answers: tuple[Sequence[str], ...] = ()
        for task in tasks:
            meant = mistaken(task, rng) if rng.random() < wrong else task
            manner = style.draw(rng)
            manner = replace(manner, length="brief") if brief else manner
            asked = Message("user", typed(task.user, rng, task.keep))
            messages += (asked, Message("assistant", compose(meant, manner, rng)))
            answers += (meant.items or (meant.said,),)
        yield Example(messages, tasks[-1].skill, answers)


def prompts(
    seed: int, count: int, split: str = "train", checkable: bool | None = None
) -> list[Prompt]:
    """`count` prompts with distinct first messages, all `checkable` or none where it is given."""
    rng = Random(f"{seed} {split} prompts")
    seen: set[str] = set()
    found: list[Prompt] = []
    while len(found) < count:
        tasks = _conversation(rng, split)
        opening = " ".join(style.words(tasks[0].user))
        has_answer = tasks[-1].answer is not None
        if opening in seen or checkable not in (None, has_answer):
            continue
        seen.add(opening)
        found.append(_prompt(tasks, rng, has_answer))
    return found


@cache
def skills() -> tuple[Skill, ...]:
    """Every skill of the mix."""
    return tuple(skill for module in _MODULES for skill in module.skills())


def _prompt(tasks: Scene, rng: Random, checkable: bool) -> Prompt:
    messages = _system(rng)
    for task in tasks[:-1]:
        reply = compose(task, style.draw(rng), rng)
        messages += (Message("user", typed(task.user, rng, task.keep)), Message("assistant", reply))
    last = tasks[-1]
    messages += (Message("user", typed(last.user, rng, last.keep)),)
    return Prompt(messages, last.skill, checkable, last)


def _system(rng: Random) -> tuple[Message, ...]:
    if rng.random() >= _SYSTEM_SHARE:
        return ()
    return (Message("system", rng.choice(content("wordings")["system"]["messages"])),)


def _conversation(rng: Random, split: str) -> Scene:
    """One scene, perhaps with another before it or something else in between: one to four turns."""
    scene = _scene(rng, split)
    chance = rng.random()
    if len(scene) > 1:
        return (
            *scene[:-1],
            *_asides(rng, 2 if chance < 0.08 else 1 if chance < 0.35 else 0),
            scene[-1],
        )
    if chance < 0.3:
        return (*_scene(rng, "train"), *scene)
    return scene


def _asides(rng: Random, count: int) -> Scene:
    """Turns of something else, which do not need what was said before."""
    turns = [_scene(rng, "train")[0] for _ in range(count)]
    return tuple(turn for turn in turns if not turn.skill.startswith("tell"))


def _scene(rng: Random, split: str) -> Scene:
    """A scene of `split`: its last turn is held out, or none of its turns is."""
    weights, names = _weights()
    while True:
        scene = rng.choices(names, weights)[0].draw(rng)
        held = [_holds(task) for task in scene]
        if held[-1] if split == "held_out" else not any(held):
            return scene


@cache
def _weights() -> tuple[list[float], list[Skill]]:
    return [skill.weight for skill in skills()], list(skills())


def _holds(task: Task) -> bool:
    """Whether the wording, or a name or number of the task, is held out."""
    return any(held_out(" ".join(style.words(key)) or key) for key in (task.user, *task.keys))


@cache
def held_out(key: str) -> bool:
    """Whether a wording, or "name ana", "plus 2 3" and the like, is kept from training."""
    return blake2b(key.casefold().encode(), digest_size=4).digest()[0] % _HELD_OUT == 0


@cache
def _grammar() -> Grammar:
    """Read once, from the phrases of many tasks of every skill: about a second."""
    rng = Random("grammar")
    parts, free = set(phrases.every_phrase()), set()
    for skill in skills():
        for _ in range(_TASKS_READ):
            for task in skill.draw(rng):
                parts.update(_phrases(task, rng))
                free.update(
                    style.words(
                        " ".join((task.said, task.topic, *task.items, *task.keep, *task.wrong))
                    )
                )
    plain = {
        word for phrase in phrases.every_phrase() for word in style.words(phrases.expanded(phrase))
    }
    return Grammar.read(parts, free - plain - style.marks("stop"))


def _phrases(task: Task, rng: Random) -> Iterator[str]:
    """Everything that a reply to `task` may be put together from."""
    answers = (task.said, *rng.sample(task.wrong, min(3, len(task.wrong))))
    yield from (
        core.replace("{a}", answer) for core in (*task.bare, *task.echo) for answer in answers
    )
    for formality in style.AXES["formality"]:
        yield from (said.replace("{t}", task.topic) for said in phrases.take_ups(formality))
    yield from (*task.details, *task.asks, *task.items)
