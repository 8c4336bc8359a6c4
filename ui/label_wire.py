"""What passes between the API, this process and the browser when people label."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from ui.wire import Wire


class Said(Wire):
    """One turn of what was asked."""

    role: str
    content: str


class TaskAnswer(Wire):
    """One of an item's answers; by whom is not said."""

    id: str
    text: str


class Task(Wire):
    """An item to rank."""

    id: str
    messages: list[Said]
    answers: list[TaskAnswer]


class Progress(Wire):
    """How far a person is."""

    today: int = 0
    done: int = 0
    waiting: int = 0
    median_s: float | None = None


class NextTask(Wire):
    """GET /v1/tasks/next. `preparing`: there is none, and one will come by itself."""

    task: Task | None = None
    preparing: bool = False
    progress: Progress = Progress()


class Guidelines(Wire):
    """What a good answer is, and the text's version."""

    text: str
    version: str


class Desk(Wire):
    """GET /v1/tasks."""

    guidelines: Guidelines
    criteria: list[str]
    skips: list[str]
    progress: Progress = Progress()


class Verdict(BaseModel):
    """The body of POST /v1/rankings for an item; `key` is its Idempotency-Key."""

    task_id: str
    candidates: list[str]
    ranks: list[int | None]
    none_acceptable: bool = False
    ratings: dict[str, list[float | None]] | None = None
    comment: str | None = None
    seconds: float | None = None
    input: Literal["keys", "mouse", "touch"] | None = None
    guidelines: str | None = None
    key: str
    next: bool = False
