"""One simulated person's turn: what they are shown, and the ranking that they give. Over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.people import People
from benchmarks.product import Api, Messages
from policy.builtin import generator as builtin

Turn = Callable[[int], None]
"""Gives the ranking of that number."""

ANSWERS = 4
ITEM_SECONDS = 120.0
POLL_SECONDS = 0.2


def chatting(api: Api, people: People) -> Turn:
    """Each asks a prompt of their own, for four answers, and ranks them."""
    return partial(_chat, api, people, prompts_of(people))


def labelling(api: Api, people: People) -> Turn:
    """The same prompts are imported; each ranks whatever item the product gives them next."""
    prompts = [{"messages": messages} for messages in prompts_of(people)]
    api.post("/v1/prompts", set="bench", prompts=prompts)
    return partial(_label, api, people)


def prompts_of(people: People) -> list[Messages]:
    """As many as they give rankings."""
    return [
        [{"role": m.role, "content": m.content} for m in prompt.messages]
        for prompt in builtin.prompts(people.seed, people.rankings, split="train")
    ]


def _chat(api: Api, people: People, prompts: list[Messages], number: int) -> None:
    person, messages = people.name(number), prompts[number]
    replies = api.replies(messages, n=ANSWERS, user=person)
    ranks = people.ranks(number, messages, [reply.text for reply in replies])
    candidates = [reply.candidate for reply in replies]
    api.post("/v1/rankings", candidates=candidates, ranks=ranks, user=person)


def _label(api: Api, people: People, number: int) -> None:
    person = people.name(number)
    item = _next(api, person)
    answers = item["answers"]
    ranks = people.ranks(number, item["messages"], [answer["text"] for answer in answers])
    candidates = [answer["id"] for answer in answers]
    api.post("/v1/rankings", task_id=item["id"], candidates=candidates, ranks=ranks, user=person)


def _next(api: Api, person: str) -> Any:
    """The person's item, once it is made. Raises RuntimeError where none comes."""
    until = time.monotonic() + ITEM_SECONDS
    while time.monotonic() < until:
        found = api.get(f"/v1/tasks/next?user={person}")
        if found["task"] is not None:
            return found["task"]
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"{person} was given no item to label: {found}")
