"""What the API answers of versions against each other: trials, battles, comparisons, progress."""

from __future__ import annotations

from pydantic import Field

from ui.label_wire import Said
from ui.wire import Wire


class Estimate(Wire):
    """A figure with its interval; None where nothing is known."""

    value: float | None = None
    low: float
    high: float


class Tally(Wire):
    """Comparisons by how they ended."""

    wins: int = 0
    losses: int = 0
    ties: int = 0


class Beside(Wire):
    """What else people did with a version's answers."""

    answers: int = 0
    stopped: int = 0
    thumbs_up: int = 0
    thumbs_down: int = 0


class Trial(Wire):
    """A version that some of the people get."""

    version: str
    live: str
    share: float
    began_at: float
    comparisons: Tally = Tally()
    needed: int = 0
    win_rate: Estimate
    better: bool | None = None
    pinned_by: str | None = None
    promotes: bool = False
    versions: dict[str, Beside] = Field(default_factory=dict)


class Compared(Wire):
    """A version's strength in log-odds over the baseline."""

    version: str
    strength: Estimate
    wins: int = 0
    losses: int = 0
    ties: int = 0


class Comparisons(Wire):
    """GET /v1/versions/compared."""

    data: list[Compared] = Field(default_factory=list)
    baseline: str | None = None
    rankings: int = 0


class Rates(Wire):
    """Win rates over v0, and over the version that was live before."""

    over_base: Estimate | None = None
    over_previous: Estimate | None = None


class Standing(Wire):
    """One version of GET /v1/progress."""

    version: str
    state: str
    previous: str | None = None
    created_at: float | None = None
    people: Rates = Rates()
    model: Rates = Rates()
    pairs: int = 0


class BattleAnswer(Wire):
    """An answer; by whom is not said."""

    id: str
    text: str


class Battle(Wire):
    """POST /v1/battles."""

    messages: list[Said]
    answers: list[BattleAnswer]
