"""What passes between the API, this process and the browser when people rank and label."""

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
    """An item to rank, by the criterion alone if it has one, the person's for so many seconds."""

    id: str
    messages: list[Said]
    answers: list[TaskAnswer]
    expires_in_s: float = 900.0
    criterion: str | None = None


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


class Ranked(Wire):
    """The answer to POST /v1/rankings; with the next item where the verdict asked for it."""

    id: int
    next: NextTask | None = None


Input = Literal["keys", "mouse", "touch"]


class Verdict(BaseModel):
    """The body of POST /v1/rankings; `key` is its Idempotency-Key. An item's `shown` and `blind`
    the server knows.
    """

    task_id: str | None = None
    candidates: list[str]
    ranks: list[int | None]
    none_acceptable: bool = False
    ratings: dict[str, list[float | None]] | None = None
    comment: str | None = None
    shown: list[str] | None = None
    blind: bool | None = None
    seconds: float | None = None
    input: Input | None = None
    guidelines: str | None = None
    key: str
    next: bool = False
