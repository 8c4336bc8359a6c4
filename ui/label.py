"""The label tab: one item after the other, blind, ranked by keys, mouse or touch.

The browser holds what a person is at (assets/label.js) and calls the functions here; this process
keeps nothing. Each takes what the browser sent and answers what the API said, or {error}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ui.client import ApiError, Client, Message, Refused
from ui.label_parts import Parts, layout
from ui.label_wire import Verdict
from ui.ranker import dense

GONE = ("not_issued", "not_found")
"""Refusals after which the item is no longer the person's."""


class Who(BaseModel):
    """Who labels; an empty name is left to the server."""

    person: str | None = None


class Ranking(Who):
    """What was said of an item. Ranks may leave places out, and ratings and comment be empty."""

    task: str
    candidates: list[str]
    ranks: list[int | None]
    none: bool = False
    ratings: dict[str, list[float | None]] = {}
    comment: str = ""
    seconds: float | None = None
    input: str | None = None
    guidelines: str | None = None
    key: str
    next: bool = False

    def verdict(self) -> Verdict:
        return Verdict(
            task_id=self.task,
            candidates=self.candidates,
            ranks=dense(self.ranks),
            none_acceptable=self.none,
            ratings=self.ratings or None,
            comment=self.comment or None,
            seconds=self.seconds,
            input=self.input,
            guidelines=self.guidelines,
            key=self.key,
            next=self.next,
        )


class Skip(Who):
    """Why an item is not ranked."""

    task: str
    reason: str


class Kept(Who):
    """An item that the person is still at."""

    task: str


class Shown(Who):
    """What the person would rather have read in the candidate's place."""

    messages: list[Message]
    text: str
    candidate: str
    key: str


Asked = TypeVar("Asked", bound=BaseModel)
Answer = dict[str, Any]


class LabelTab:
    """The tab's component, and what the browser calls."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.parts: Parts = layout(
            [
                called("label_desk", Who, self.desk),
                called("label_next", Who, self.next_item),
                called("label_rank", Ranking, self.rank),
                called("label_skip", Skip, self.skip),
                called("label_keep", Kept, self.keep),
                called("label_show", Shown, self.show),
            ]
        )

    def look(self, person: str | None) -> Answer:
        """The component's value when the tab is opened."""
        return {"person": person or ""}

    async def desk(self, who: Who) -> Answer:
        return (await self._client.desk(who.person)).model_dump()

    async def next_item(self, who: Who) -> Answer:
        return (await self._client.next_task(who.person)).model_dump()

    async def rank(self, ranking: Ranking) -> Answer:
        ranked = await self._client.rank(ranking.verdict(), ranking.person)
        return {"next": None if ranked.next is None else ranked.next.model_dump()}

    async def skip(self, skip: Skip) -> Answer:
        following = await self._client.skip(skip.task, skip.reason, skip.person)
        return {"next": following.model_dump()}

    async def keep(self, kept: Kept) -> Answer:
        return {"expires_in_s": await self._client.renew_task(kept.task, kept.person)}

    async def show(self, shown: Shown) -> Answer:
        messages = [*shown.messages, Message(role="assistant", content=shown.text)]
        await self._client.demonstrate(messages, shown.candidate, shown.person, shown.key)
        return {}


def called(
    name: str, kind: type[Asked], act: Callable[[Asked], Awaitable[Answer]]
) -> Callable[[Any], Coroutine[Any, Any, Answer]]:
    """The function that the browser calls by that name: whatever it sent is checked, and what went
    wrong is a sentence for people.
    """

    async def function(sent: Any) -> Answer:
        try:
            return await act(kind.model_validate(sent))
        except ValidationError:
            return {"error": "This page is older than its server: load it again."}
        except ApiError as error:
            gone = isinstance(error, Refused) and error.code in GONE
            return {"error": str(error), "gone": gone}

    function.__name__ = name
    return function
