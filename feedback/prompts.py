"""Prompts for the labelling queue: imported sets, and what people who consented have asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, func
from sqlmodel import Session, col, select

from .conversations import check_name, last_asked, messages_of
from .database import now
from .errors import InvalidPrompt
from .labelling import Imported, PromptSet, PromptSource, Turns
from .tables import Generation, Prompt, Task


def check_prompt(messages: Turns, param: str) -> None:
    """Raises InvalidPrompt, which names `param`, unless it is at most one system turn, then user
    and assistant in turn, and a user's last.
    """
    said = [role for role, _ in messages]
    turns = said[1:] if said[:1] == ["system"] else said
    expected = ["user" if place % 2 == 0 else "assistant" for place in range(len(turns))]
    if turns != expected or turns[-1:] != ["user"]:
        form = "is not at most one system turn, then user and assistant, a user's last"
        raise InvalidPrompt(f"{param} {form}", param=param, value=said)
    if not messages[-1][1].strip():
        message = f"the last turn of {param} says nothing"
        raise InvalidPrompt(message, param=param, value=messages[-1][1])


def digest_of(messages: Turns) -> str:
    """One value for the same messages."""
    return hashlib.sha256(json.dumps(messages).encode()).hexdigest()


def add(session: Session, name: str, prompts: Sequence[Turns], person: str) -> Imported:
    """Append those that the set does not have yet; raises InvalidText or InvalidPrompt."""
    check_name("set", name)
    check_name("user", person)
    known = _digests(session, name)
    before = len(known)
    at = now(session.connection())
    for place, messages in enumerate(prompts):
        check_prompt(messages, f"prompts[{place}]")
        digest = digest_of(messages)
        if digest not in known:
            known.add(digest)
            turns = [list(turn) for turn in messages]
            session.add(
                Prompt(set_name=name, digest=digest, messages=turns, person=person, created_at=at)
            )
    added = len(known) - before
    return Imported(added, len(prompts) - added, len(known))


def _digests(session: Session, name: str) -> set[str]:
    return set(session.exec(select(Prompt.digest).where(Prompt.set_name == name)).all())


def sets(session: Session) -> list[PromptSet]:
    """Every set, by name, and how far it is."""
    totals = select(Prompt.set_name, func.count()).group_by(Prompt.set_name)
    answered = (
        select(Prompt.set_name, func.count(func.distinct(Prompt.id)))
        .join(Task, col(Task.prompt_id) == Prompt.id)
        .group_by(Prompt.set_name)
    )
    told = dict(session.exec(answered).all())
    done = dict(session.exec(answered.where(col(Task.closed))).all())
    return [
        PromptSet(name, count, told.get(name, 0), done.get(name, 0))
        for name, count in sorted(session.exec(totals).all())
    ]


def unanswered(session: Session) -> int:
    """How many imported prompts no version has answered yet."""
    return session.exec(select(func.count()).select_from(Prompt).where(~_asked_of())).one()


def _asked_of() -> ColumnElement[bool]:
    return exists().where(col(Task.prompt_id) == col(Prompt.id))


def next_source(session: Session, version: str) -> PromptSource | None:
    """The prompt to answer next: an imported one that nobody has answered, oldest first; else the
    last one asked by somebody who consented that this version has not answered for the queue.
    """
    prompt = session.exec(
        select(Prompt).where(~_asked_of()).order_by(col(Prompt.id)).limit(1)
    ).first()
    return _logged(session, version) if prompt is None else _imported(prompt)


def _imported(prompt: Prompt) -> PromptSource:
    messages = tuple((role, content) for role, content in prompt.messages)
    conversation = f"prompt-{prompt.digest[:24]}"
    return PromptSource(prompt.digest, messages, prompt.person, conversation, prompt.id)


def _logged(session: Session, version: str) -> PromptSource | None:
    answered = exists().where(
        col(Task.prompt_digest) == col(Generation.prompt_digest), col(Task.version) == version
    )
    for row in last_asked(session, 1, ~answered):
        return PromptSource(
            row.prompt_digest, messages_of(row), row.person, row.conversation_id, None
        )
    return None
