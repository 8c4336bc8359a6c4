"""The labelling queue over HTTP: the next item for a person, a skip, gold, and how far they are."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from random import SystemRandom
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from feedback.labelling import Gold, Item, Progress, Terms

from ..doors import access, issued
from ..errors import documented
from ..serving import Serving
from ..wire import Name
from . import guidelines
from .ahead import Ahead
from .task_bodies import GoldRequest, RenewRequest, SkipRequest

router = APIRouter()

TaskId = Annotated[int, Path(ge=1, lt=10**9)]
User = Annotated[Name | None, Query()]
Besides = Annotated[list[Annotated[int, Field(ge=1, lt=10**9)]], Query(max_length=64)]
SKIPS = ("The question is unclear", "I cannot judge this", "They are all alike", "Not fit to read")
"""Reasons to skip, to choose from; any other may be given."""


@router.get("/v1/tasks")
def desk(request: Request, user: User = None) -> dict[str, Any]:
    """What a person needs to label: guidelines, criteria, reasons to skip, and how far they are."""
    serving: Serving = request.app.state.serving
    told = guidelines.read(serving.settings.server.tasks.guidelines)
    return {
        "object": "task.desk",
        "guidelines": {"text": told.text, "version": told.version},
        "criteria": list(serving.settings.learner.reward.criteria),
        "skips": list(SKIPS),
        "progress": progress(serving, access.person(user, serving.key)),
    }


@router.get("/v1/tasks/next")
def next_task(request: Request, user: User = None, besides: Besides = []) -> dict[str, Any]:  # noqa: B006
    """The item that is the person's, or from now on is: the same until it is ranked or skipped, or
    its time is over. `besides` names items that they have at hand."""
    serving: Serving = request.app.state.serving
    return following(request, access.person(user, serving.key), besides)


@router.post("/v1/tasks/{task_id}/skip", responses=documented(404, 409))
def skip(request: Request, task_id: TaskId, body: SkipRequest) -> dict[str, Any]:
    """Records why a person will not rank an item; it goes to somebody else."""
    serving: Serving = request.app.state.serving
    person = access.person(body.user, serving.key)
    issued.check_task(serving, str(task_id))
    serving.store.skip_task(str(task_id), person=person, reason=body.reason)
    shown = {"id": str(task_id), "object": "task.skip", "reason": body.reason}
    return {**shown, "next": following(request, person)} if body.next else shown


@router.post("/v1/tasks/{task_id}/renew", responses=documented(404, 409))
def renew(request: Request, task_id: TaskId, body: RenewRequest | None = None) -> dict[str, Any]:
    """Lets a person keep an item that they are still at: its time begins anew."""
    serving: Serving = request.app.state.serving
    person = access.person(body.user if body else None, serving.key)
    issued.check_task(serving, str(task_id))
    lease_s = serving.settings.server.tasks.lease_s
    left_s = serving.store.renew_task(str(task_id), person=person, lease_s=lease_s)
    return {"id": str(task_id), "object": "task.renewal", "expires_in_s": left_s}


@router.post("/v1/tasks/gold", responses=documented(404))
def add_gold(request: Request, body: GoldRequest) -> dict[str, Any]:
    """Answers whose right ranks are known: everybody is given them once, among the others."""
    serving: Serving = request.app.state.serving
    return shown_gold(
        serving.store.add_gold(
            candidates=body.candidates, completion_id=body.completion_id, ranks=body.ranks
        )
    )


@router.get("/v1/tasks/gold")
def list_gold(request: Request) -> dict[str, Any]:
    """Every gold item, oldest first."""
    serving: Serving = request.app.state.serving
    return {"object": "list", "data": [shown_gold(gold) for gold in serving.store.gold()]}


def following(request: Request, person: str, besides: Collection[int] = ()) -> dict[str, Any]:
    """The person's next item, or whether one is being made; others are made ahead from now on."""
    serving: Serving = request.app.state.serving
    ahead: Ahead = request.app.state.ahead
    settings = serving.settings.server.tasks
    terms = Terms(
        lease_s=settings.lease_s,
        gold=settings.gold,
        repeats=settings.repeats,
        first=serving.canary_id,
    )
    item = serving.store.next_task(person, terms, SystemRandom(), besides)
    ahead.expect(person)
    return {
        "object": "task.next",
        "task": None if item is None else shown_item(item),
        "preparing": item is None and (being_made(serving) or being_chosen(serving, person)),
        "progress": progress(serving, person),
    }


def being_made(serving: Serving) -> bool:
    """Whether an item will come by itself."""
    version = serving.canary_id or serving.current_id
    if not serving.settings.server.tasks.ready or version is None:
        return False
    return serving.store.next_source(version) is not None


def being_chosen(serving: Serving, person: str) -> bool:
    """Whether there are items, which wait until it is known which of their answers to show."""
    return serving.store.ready_tasks(person) > 0


def shown_item(item: Item) -> dict[str, Any]:
    """Blind: neither what gave the answers nor what kind of item it is."""
    return {
        "id": str(item.id),
        "messages": [{"role": role, "content": content} for role, content in item.messages],
        "answers": [{"id": answer.id, "text": answer.text} for answer in item.answers],
        "criterion": item.criterion,
        "expires_in_s": item.left_s,
    }


def progress(serving: Serving, person: str) -> dict[str, Any]:
    found: Progress = serving.store.labelling_progress(person, midnight())
    return {
        "today": found.today,
        "done": found.done,
        "waiting": found.waiting,
        "median_s": found.median_s,
    }


def midnight() -> float:
    """When this day began where the server is, in Unix seconds."""
    return datetime.now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def shown_gold(gold: Gold) -> dict[str, Any]:
    return {
        "id": str(gold.id),
        "object": "task.gold",
        "candidates": list(gold.candidates),
        "ranks": list(gold.ranks),
    }
