"""Everyday sense: orders that go round, yes or no, kinds, three of a kind, rhymes, echoes."""

from __future__ import annotations

from random import Random

from policy.builtin import phrases
from policy.builtin.facts import coin, content, kinds, rhymes, table, wordlist
from policy.builtin.lookup import article
from policy.builtin.style import words
from policy.builtin.task import Answer, Scene, Skill, Task

_UNSORTED = ("colour", "season", "month", "subject")  # kinds that nobody asks for by a member
_AMBIGUOUS = frozenset(("may", "march", "fly", "orange"))  # of two kinds, or an everyday word
_FIRST_RHYME = 0.8  # share of rhymes that are the first of their family
_RHYMING_TALK = "take say make try write aloud little song same end poems"


def skills() -> list[Skill]:
    """The skills of this module with their weights."""
    return [
        Skill("order", 5.0, _order),
        Skill("yes_no", 3.0, _yes_no),
        Skill("kind", 2.4, _kind),
        Skill("three", 3.5, _three),
        Skill("rhyme", 3.5, _rhyme),
        Skill("say", 4.0, _say),
    ]


def _wording(rng: Random, name: str) -> str:
    return str(rng.choice(content("wordings")["sense"][name]))


def _orders() -> list[tuple[str, tuple[str, ...], tuple[str, str]]]:
    return [
        ("day", wordlist("days"), ("a week goes by fast", "the week goes round like that")),
        ("month", wordlist("months"), ("a year goes by fast", "the year goes round like that")),
        ("season", wordlist("seasons"), ("a year goes by fast", "nature has its order")),
    ]


def _order(rng: Random) -> Scene:
    orders = _orders()
    kind, order, details = rng.choice(orders)
    start = rng.randrange(len(order))
    asked, said = order[start], order[(start + 1) % len(order)]
    wording = _wording(rng, "after")
    others = [other for other in order if other not in (asked, said)]
    task = Task(
        skill=f"{kind}_order",
        user=wording.replace("{kind}", kind).replace("{x}", asked),
        bare=(
            "{a}",
            "it is {a}",
            "that is {a}",
            "the answer is {a}",
            "I would say {a}",
            "that must be {a}",
        ),
        echo=(
            f"after {asked} comes {{a}}",
            f"{{a}} comes after {asked}",
            f"the {kind} is {{a}}",
            f"after {asked}: {{a}}",
        ),
        topic=asked,
        said=said,
        wrong=others,
        details=details,
        asks=(f"which {kind} do you like best?",),
        answer=Answer(
            frozenset({said.lower()}),
            frozenset(other.lower() for other in others) - {"may", "march"},
        ),
        cues=frozenset(entry.lower() for entry in order),
        keys=(f"{wording} {asked}",),
    )
    return (task,)


def _yes_no(rng: Random) -> Scene:
    asked, said = rng.choice(list(table("yes_no").items()))
    rival = "no" if said == "yes" else "yes"
    user = _wording(rng, "check").replace("{x}", asked)
    task = Task(
        skill="yes_no",
        user=user[0].upper() + user[1:],
        bare=(
            "{a}",
            "{a}, sure",
            "{a}, of course",
            "I would say {a}",
            "the answer is {a}",
            "{a}, that is easy",
        ),
        echo=(f"{asked}: {{a}}",),
        topic=asked.split(" ", 1)[1],
        said=said,
        wrong=(rival,),
        details=("everybody knows that", "look around and you will see"),
        asks=("did you know that?",),
        answer=Answer(frozenset({said}), frozenset({rival})),
        cues=frozenset({"yes", "no"}),
        keys=(user,),
    )
    return (task,)


def _kind(rng: Random) -> Scene:
    every = [kind for kind in kinds() if kind not in _UNSORTED]
    kind = rng.choice(every)
    asked = rng.choice(kinds()[kind])
    wording = _wording(rng, "kind")
    named = article(asked) if asked[0].islower() else asked
    fits = {other for other in every if asked in kinds()[other]}
    rivals = frozenset(other for other in every if other not in fits)
    task = Task(
        skill="kind",
        user=wording.replace("{ax}", named).replace("{x}", asked),
        bare=("{a}", "it is {a}", "that is {a}", "I would say {a}", "it counts as {a}"),
        echo=(f"{asked}: {{a}}", f"{asked} is {{a}}", f"I call {asked} {{a}}"),
        topic=asked,
        said=article(kind),
        wrong=[article(rival) for rival in sorted(rivals)],
        details=("there are many more of that kind", "you find it in the same group"),
        asks=("can you name another of that kind?", "do you like it?"),
        answer=Answer(frozenset(fits), rivals),
        cues=frozenset(every),
        keys=(f"{wording} {asked}",),
    )
    return (task,)


def _three(rng: Random) -> Scene:
    kind = rng.choice(list(kinds()))
    named, members = table("plural_kinds")[kind], kinds()[kind]
    start = rng.randrange(len(members))
    first, second, third = items = tuple((members * 2)[start : start + 3])
    fits = frozenset(member.lower() for member in members)
    everything = frozenset(member.lower() for row in kinds().values() for member in row)
    rivals = everything - fits - _AMBIGUOUS
    wording = _wording(rng, "three")
    strangers = [row for other, row in kinds().items() if other != kind]
    odd = rng.choice([entry for row in strangers for entry in row if entry.lower() in rivals])
    task = Task(
        skill="three",
        user=wording.replace("{x}", named),
        bare=("{a}", "{a}", "I know {a}", "take {a}", "here are {a}", "I would pick {a}"),
        echo=(
            f"{named}: {{a}}",
            f"three {named}: {{a}}",
            f"some {named} are {{a}}",
            f"{{a}} are {named}",
        ),
        topic=named,
        said=f"{first}, {second} and {third}",
        wrong=(
            f"{first}, {odd} and {third}",
            f"{odd}, {second} and {third}",
            f"{first}, {second} and {odd}",
        ),
        details=("there are many more", "those came to mind first", "I could go on"),
        asks=("which do you like best?", "wanna hear more?", "can you name another?"),
        items=items,
        answer=Answer(fits, rivals, need=3),
        cues=fits,
        keys=(f"{wording} {named}",),
    )
    return (task,)


def _rhyme(rng: Random) -> Scene:
    family = rng.choice(rhymes())
    asked = rng.choice(family)
    fits = [other for other in family if other != asked]
    talk = {part for said in (*phrases.every_phrase(), _RHYMING_TALK) for part in words(said)}
    others = {other for row in rhymes() if row is not family for other in row}
    rivals = sorted(others - talk)
    wording = _wording(rng, "rhyme")
    task = Task(
        skill="rhyme",
        user=wording.replace("{x}", asked),
        bare=("{a}", "take {a}", "I would say {a}", "how about {a}", "{a} would do", "try {a}"),
        echo=(
            f"{asked} and {{a}}",
            f"{asked}: {{a}}",
            f"{{a}} rhymes with {asked}",
            f"{asked} rhymes with {{a}}",
        ),
        topic=asked,
        said=fits[0] if rng.random() < _FIRST_RHYME else rng.choice(fits),
        wrong=rivals,
        details=(
            "it sounds the same at the end",
            "say them aloud and listen",
            "that makes a little song",
        ),
        asks=("do you write poems?", "wanna try another?"),
        answer=Answer(frozenset(fits), frozenset(rivals)),
        cues=frozenset(other for row in rhymes() for other in row),
        keys=(f"{wording} {asked}",),
    )
    return (task,)


def _say(rng: Random) -> Scene:
    """Copying: words of everyday, words and numbers seen nowhere else, and pairs of numbers."""
    known = wordlist("words")
    chance = rng.random()
    if chance < 0.35:
        asked = rng.choice(known)
    elif chance < 0.65:
        asked = coin(rng).lower()
    elif chance < 0.8:
        asked = str(rng.randint(1, 99))
    else:
        asked = f"{rng.randint(1, 20)} and {rng.randint(1, 20)}"
    task = Task(
        skill="say",
        user=_wording(rng, "say").replace("{x}", asked),
        bare=("{a}", "here it is: {a}"),
        echo=("{a}", "{a}", "here it is: {a}", "I say {a}", "{a}, as you like it"),
        topic="the word",
        said=asked,
        wrong=[other for other in rng.sample(known, 5) if other != asked],
        details=("words are fun to say", "I said it as well as I can"),
        asks=("shall I say it again?",),
        answer=Answer(frozenset({asked})),
        cues=frozenset({asked, *known}),
        keys=(f"say {asked}",),
        keep=(asked,),
    )
    return (task,)
