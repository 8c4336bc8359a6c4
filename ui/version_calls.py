"""The calls that the pages make about versions against each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from ui.client import Client, Message
from ui.version_wire import Battle, Comparisons, Standing, Trial
from ui.wire import Version
from ui.words import count


class VersionCalls:
    """Raises ApiError as every call of the client does."""

    def __init__(self, client: Client) -> None:
        self._get, self._post = client.get, client.post

    async def trial(self) -> Trial | None:
        """The trial that goes on, if one does."""
        found = (await self._get("/v1/canary"))["canary"]
        return None if found is None else Trial.model_validate(found)

    async def comparisons(self) -> Comparisons:
        """What people think of the versions."""
        return Comparisons.model_validate(await self._get("/v1/versions/compared"))

    async def progress(self) -> list[Standing]:
        """Of every version, oldest first."""
        answer = await self._get("/v1/progress")
        return [Standing.model_validate(row) for row in answer["data"]]

    async def battle(self, versions: Sequence[str], prompt: str, person: str | None) -> Battle:
        """Both versions' answers, blind; to a prompt that is drawn where none is typed."""
        body: dict[str, Any] = {"versions": list(versions)}
        if prompt.strip():
            body["messages"] = [Message(role="user", content=prompt.strip()).model_dump()]
        body |= {"user": person} if person else {}
        return Battle.model_validate(await self._post("/v1/battles", body))

    async def version_of(self, candidate: str) -> str:
        """Which version gave an answer."""
        answer = await self._get(f"/v1/candidates/{quote(candidate, safe='')}")
        return str(answer["version"])

    async def decide(
        self, id: str, what: str, reason: str, person: str | None, **more: object
    ) -> Version:
        """`what` is the end of the route: promote, canary, pin, ..."""
        body = {"reason": reason, **more, **({"user": person} if person else {})}
        answer = await self._post(f"/v1/versions/{quote(id, safe='')}/{what}", body)
        return Version.model_validate(answer)

    async def roll_back(self, reason: str, person: str | None, *, quarantine: bool) -> str:
        """What was done, as a sentence."""
        body = {"reason": reason, "quarantine": quarantine}
        body |= {"user": person} if person else {}
        answer = await self._post("/v1/versions/rollback", body)
        done = answer["rolled_back"]
        parts = [f"{answer['id']} is live now, in place of {done['version']}"]
        if done["round"] is not None:
            parts.append(f"round {done['round']} was ended")
        if quarantine:
            parts.append(f"{count(done['set_aside'], 'ranking')} set aside")
        return "; ".join(parts) + "."
