"""The calls that the data tab makes: people, prompt sets, and files in and out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from ui.client import Client, Refused
from ui.data_wire import BadLine, Imported, PromptSet, Raters

PROMPTS = "prompts"
"""What the API calls lines that only ask."""


class DataClient:
    """On top of a client, whose failures it raises."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def raters(self) -> Raters:
        return Raters.model_validate(await self._client.get("/v1/raters"))

    async def prompt_sets(self) -> list[PromptSet]:
        answer = await self._client.get("/v1/prompts")
        return [PromptSet.model_validate(one) for one in answer["data"]]

    async def format_of(self, lines: bytes) -> str | None:
        """Which format the first of these lines is of."""
        answer = await self._client.send_lines("/v1/import/format", lines, {})
        found: str | None = answer["format"]
        return found

    async def bring(self, format: str, lines: bytes, person: str | None) -> Imported:
        """Store the lines that are new; their numbers count from the first of these."""
        asked = {"format": format, **({"user": person} if person else {})}
        return Imported.model_validate(await self._client.send_lines("/v1/import", lines, asked))

    async def bring_prompts(self, name: str, lines: bytes, person: str | None) -> Imported:
        """The same into a prompt set, which takes none twice. The API refuses all for one that is
        no prompt: what is refused is tried in halves, down to the line.
        """
        whole = [(n, line) for n, line in enumerate(lines.split(b"\n"), 1) if line.strip()]
        return await self._halves(name, whole, person) if whole else Imported()

    async def _halves(
        self, name: str, lines: list[tuple[int, bytes]], person: str | None
    ) -> Imported:
        asked = {"set": name, **({"user": person} if person else {})}
        try:
            sent = b"\n".join(line for _, line in lines)
            answer = await self._client.send_lines("/v1/prompts", sent, asked)
        except Refused as refusal:
            if refusal.status not in (400, 413):
                raise
            if len(lines) == 1:
                wrong = BadLine(line=lines[0][0], reason=_of_one_line(lines[0][1], refusal))
                return Imported(refused=1, reasons=[wrong])
            middle = len(lines) // 2
            first = await self._halves(name, lines[:middle], person)
            return first + await self._halves(name, lines[middle:], person)
        return Imported(imported=answer["added"], known=answer["known"])

    def export(self, format: str) -> AsyncIterator[bytes]:
        """What people said, as JSON lines that come as they are made."""
        return self._client.stream("/v1/export", {"format": format})


def _of_one_line(line: bytes, refusal: Refused) -> str:
    """The refusal in the words of a line: the API counts prompts of what was sent."""
    try:
        json.loads(line)
    except ValueError as error:
        return f"not JSON: {error}"
    return str(refusal)
