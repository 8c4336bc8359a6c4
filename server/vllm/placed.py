"""A version as the engines know it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from policy.chat import Chat
from policy.vllm.client import Card


@dataclass(frozen=True)
class Placed:
    """`base` is the folder of the model that an engine must serve to answer by it. `adapter`: its
    name there, if it is one over that model: of version and digest, since vLLM keeps what it
    computed by an adapter's name, and a name that comes again would be given another one's. The
    model itself goes by the name of an adapter that changes nothing (`blank`), or by its own on an
    engine that takes none.
    """

    version: str
    folder: Path
    base: Path
    adapter: str | None
    chat: Chat
    blank: bool = False

    def on(self, card: Card) -> str | None:
        """What to ask such an engine for; None if it does not have the version."""
        if not self.fits(card):
            return None
        if self.adapter is None:
            return card.name
        return self.adapter if self.adapter in card.adapters else None

    def fits(self, card: Card) -> bool:
        """Whether the engine serves the model that the version is, or is over."""
        return card.serves(self.base)


def adapter_name(version: str, digest: str) -> str:
    return f"rankloop@{version}-{digest[:12]}"
