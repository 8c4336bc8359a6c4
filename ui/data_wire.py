"""What passes between the API, this process and the browser on the data tab."""

from __future__ import annotations

from pydantic import BaseModel, Field

from ui.wire import Wire


class Share(Wire):
    """A share, and of how many."""

    share: float | None = None
    of: int = 0


class Rater(Wire):
    """One of GET /v1/raters: how far a person's rankings are trusted, and what that rests on."""

    id: str
    rankings: int
    trust: float = 1.0
    reason: str | None = None
    skill: float | None = None
    checked: int = 0
    tau_b: float | None = None
    gold: Share = Share()
    self_consistency: Share = Share()
    first_shown: Share = Share()
    longest: Share = Share()
    median_seconds: float | None = None
    round_weight: float | None = None
    left_out: dict[str, int] = Field(default_factory=dict)
    lighter: dict[str, int] = Field(default_factory=dict)


class Raters(Wire):
    """GET /v1/raters. `people` is from how many on trust and caps act."""

    data: list[Rater] = Field(default_factory=list)
    round: int | None = None
    alpha: float | None = None
    people: int = 3


class PromptSet(Wire):
    """One of GET /v1/prompts."""

    set: str
    prompts: int
    answered: int = 0
    labelled: int = 0
    share: float | None = None


class BadLine(Wire):
    """A line that was not imported, by its number from 1, and why."""

    line: int
    reason: str


class Imported(Wire):
    """What became of lines: POST /v1/import, and of prompts the same in its words."""

    imported: int = 0
    known: int = 0
    refused: int = 0
    reasons: list[BadLine] = Field(default_factory=list)

    def __add__(self, other: Imported) -> Imported:
        return Imported(
            imported=self.imported + other.imported,
            known=self.known + other.known,
            refused=self.refused + other.refused,
            reasons=[*self.reasons, *other.reasons],
        )


class Piece(BaseModel):
    """What the browser sends of a file: whole lines in base64, of which format, and for whom they
    count. `set` is where prompts go.
    """

    lines: str
    format: str = ""
    set: str = Field(default="default", min_length=1, max_length=256)
    person: str | None = None


class Wanted(BaseModel):
    """A format to take away."""

    format: str


class Ticket(BaseModel):
    """A download that was asked for."""

    ticket: str
