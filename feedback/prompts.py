"""Prompts for the labelling queue: imported sets, and what people who consented have asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from random import Random

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from .conversations import check_name, last_asked, messages_of
from .database import now
from .erasing import NOBODY
from .errors import InvalidPrompt
from .labelling import Imported, PromptSet, PromptSource, Turns
from .preferences import first_user_message, split_of
from .records import LoggedPrompt
from .tables import Generation, Prompt, Task

DRAWN_FROM = 256
"""Prompts of either kind that one is drawn from."""


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


def add(
    session: Session,
    name: str,
    prompts: Sequence[Turns],
    person: str,
    criteria: Sequence[str] = (),
) -> Imported:
    """Append those that the set does not have yet, to be ranked by each of these criteria, as a
    whole without any; raises InvalidText or InvalidPrompt.
    """
    check_name("set", name)
    check_name("user", person)
    by = [check_name("criteria", criterion) for criterion in dict.fromkeys(criteria)] or None
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
                Prompt(
                    set_name=name,
                    digest=digest,
                    messages=turns,
                    criteria=by,
                    person=person,
                    created_at=at,
                )
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
    done = dict(session.exec(answered.where(~_waits_for_people())).all())
    return [
        PromptSet(name, count, told.get(name, 0), done.get(name, 0))
        for name, count in sorted(session.exec(totals).all())
    ]


def _waits_for_people() -> ColumnElement[bool]:
    """Any item of the prompt wants more rankings."""
    item = aliased(Task)
    open_ = (col(item.kind) == "normal") & ~col(item.closed)
    return exists().where(col(item.prompt_id) == col(Prompt.id), open_)


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


def newest(session: Session, name: str, limit: int) -> Sequence[Prompt]:
    """So many of a set's prompts at most, the newest first."""
    return session.exec(
        select(Prompt)
        .where(Prompt.set_name == name, Prompt.person != NOBODY)
        .order_by(col(Prompt.id).desc())
        .limit(limit)
    ).all()


def of_set(prompt: Prompt) -> LoggedPrompt:
    """As rounds draw from it; it has no token ids yet."""
    messages = tuple((role, content) for role, content in prompt.messages)
    split = split_of(first_user_message(messages))
    return LoggedPrompt(_conversation(prompt), split, messages, (), prompt.set_name)


def draw(session: Session, chance: Random) -> PromptSource | None:
    """Any of the imported prompts and of the last that people who consented asked."""
    asked = last_asked(session, DRAWN_FROM)
    imported = session.exec(select(Prompt.id).where(Prompt.person != NOBODY).limit(DRAWN_FROM))
    ids = [id for id in imported if id is not None]
    if not asked and not ids:
        return None
    place = chance.randrange(len(asked) + len(ids))
    if place < len(asked):
        return _as_asked(asked[place])
    return _imported(session.get_one(Prompt, ids[place - len(asked)]))


def _as_asked(row: Generation) -> PromptSource:
    return PromptSource(row.prompt_digest, messages_of(row), row.person, row.conversation_id, None)


def _imported(prompt: Prompt) -> PromptSource:
    messages = tuple((role, content) for role, content in prompt.messages)
    criteria = tuple(prompt.criteria or ())
    return PromptSource(
        prompt.digest, messages, prompt.person, _conversation(prompt), prompt.id, criteria
    )


def _conversation(prompt: Prompt) -> str:
    return f"prompt-{prompt.digest[:24]}"


def _logged(session: Session, version: str) -> PromptSource | None:
    answered = exists().where(
        col(Task.prompt_digest) == col(Generation.prompt_digest), col(Task.version) == version
    )
    for row in last_asked(session, 1, ~answered):
        return _as_asked(row)
    return None
