"""Small sums, counting, comparing: skills whose answers are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from policy.builtin import lookup
from policy.builtin.checks import numbers
from policy.builtin.facts import content, table
from policy.builtin.task import Answer, Scene, Skill, Task

_SPELLED = "zero one two three four five six seven eight nine ten eleven twelve".split()
_COUNTED = ("people agreed on that", "it is always so", "you can count them")


def skills() -> list[Skill]:
    """The skills of this module with their weights."""
    return [
        Skill("plus", 7.0, _plus),
        Skill("minus", 5.0, _minus),
        Skill("times", 3.0, _times),
        Skill("next_number", 3.0, _neighbour),
        Skill("compare", 2.4, _compare),
        Skill("double_half", 2.0, _double),
        Skill("count", 2.0, _count),
    ]


def _numeric(skill: str, user: str, echo: Sequence[str], result: int, topic: str, key: str) -> Task:
    """A task whose right answer is `result`; wrong answers lie close by."""
    given = set(numbers(f"{user} {topic}"))
    near = [result + step for step in (-3, -2, -1, 1, 2, 3, 5, 10) if result + step > 0]
    return Task(
        skill=skill,
        user=user,
        bare=lookup.bare(),
        echo=echo,
        topic=topic,
        said=str(result),
        wrong=tuple(str(number) for number in near if str(number) not in given),
        details=_COUNTED if skill == "count" else _wordings("details"),
        asks=_wordings("asks"),
        answer=Answer(frozenset({str(result)}), numeric=True, given=frozenset(given)),
        keys=(key,),
    )


def _wordings(name: str) -> list[str]:
    found = content("wordings")["numbers"][name]
    assert isinstance(found, list), "wordings are lists"
    return found


def _word(number: int, spelled: bool) -> str:
    return _SPELLED[number] if spelled and number < len(_SPELLED) else str(number)


def _asked(rng: Random, name: str, x: int, y: int) -> str:
    """A question about two numbers, which now and then are spelled out."""
    spelled = rng.random() < 0.06
    wording = rng.choice(_wordings(name))
    return wording.replace("{x}", _word(x, spelled)).replace("{y}", _word(y, spelled))


def _plus(rng: Random) -> Scene:
    x, y = rng.randint(1, 10), rng.randint(1, 10)
    pair = f"{x} plus {y}"
    echo = (f"{pair} is {{a}}", f"{pair} makes {{a}}", f"{pair}: {{a}}", f"{x} and {y} are {{a}}")
    user = _asked(rng, "plus", x, y)
    return (_numeric("plus", user, echo, x + y, pair, f"plus {x} {y}"),)


def _minus(rng: Random) -> Scene:
    x = rng.randint(2, 12)
    y = rng.randint(1, min(x - 1, 6))
    result = x - y
    if result == y:
        return _minus(rng)
    pair = f"{x} minus {y}"
    echo = (
        f"{pair} is {{a}}",
        f"{pair} leaves {{a}}",
        f"{pair}: {{a}}",
        f"from {x} take {y}, {{a}} is left",
    )
    return (_numeric("minus", _asked(rng, "minus", x, y), echo, result, pair, f"minus {x} {y}"),)


def _times(rng: Random) -> Scene:
    """A times table is learned by heart, so no pair of numbers is held out, only wordings of it."""
    x, y = rng.randint(2, 5), rng.randint(2, 10)
    pair = f"{x} times {y}"
    echo = (f"{pair} is {{a}}", f"{pair} makes {{a}}", f"{pair}: {{a}}")
    user = _asked(rng, "times", x, y)
    return (_numeric("times", user, echo, x * y, pair, user),)


def _neighbour(rng: Random) -> Scene:
    x, step = rng.randint(2, 20), rng.choice((-1, 1, 1, 1))
    user = rng.choice(_wordings("next" if step > 0 else "previous")).replace("{x}", str(x))
    side = "after" if step > 0 else "before"
    echo = (f"{side} {x} comes {{a}}", f"{x}: {{a}}", f"{{a}} comes {side} {x}")
    return (_numeric("next_number", user, echo, x + step, str(x), f"next {x} {step} {user}"),)


def _compare(rng: Random) -> Scene:
    x, y = rng.sample(range(1, 16), 2)
    bigger = rng.random() < 0.75
    wording = rng.choice(_wordings("bigger" if bigger else "smaller"))
    right, wrong = (max(x, y), min(x, y)) if bigger else (min(x, y), max(x, y))
    word = "bigger" if bigger else "smaller"
    bare = ("{a}", "it is {a}", "I would say {a}", "that is {a}")
    task = Task(
        skill="compare",
        user=wording.replace("{x}", str(x)).replace("{y}", str(y)),
        bare=bare,
        echo=(*bare, f"{{a}} is {word}", f"the {word} number is {{a}}"),
        topic=word,
        said=str(right),
        wrong=(str(wrong),),
        details=_wordings("details"),
        asks=_wordings("asks"),
        answer=Answer(frozenset({str(right)}), frozenset({str(wrong)})),
        cues=frozenset({str(x), str(y)}),
        keys=(f"compare {x} {y}",),
    )
    return (task,)


def _double(rng: Random) -> Scene:
    x = rng.randint(2, 10)
    echo: Sequence[str]
    if rng.random() < 0.5:
        asked, result = x, 2 * x
        echo = (f"double {x} is {{a}}", f"{x} and {x} make {{a}}", f"twice {x}: {{a}}")
        user = rng.choice(_wordings("double")).replace("{x}", str(x))
    else:
        asked, result = 2 * x, x
        echo = (f"half of {asked} is {{a}}", f"{asked}, halved: {{a}}")
        user = rng.choice(_wordings("half")).replace("{x}", str(asked))
    return (_numeric("double_half", user, echo, result, str(asked), user),)


def _count(rng: Random) -> Scene:
    counts = table("counts")
    asked = rng.choice(list(counts))
    user = rng.choice(_wordings("count")).replace("{x}", asked)
    thing = asked.split()[0]
    if " do " in asked or " does " in asked:
        whole = f"it has {{a}} {thing}"
    else:
        whole = f"there are {{a}} {thing} {asked.split(' are ')[-1]}"
    echo = (f"{{a}} {thing}", whole, f"{thing}: {{a}}")
    return (_numeric("count", user, echo, int(counts[asked]), thing, user),)
