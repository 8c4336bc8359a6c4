"""What the server asks of whatever draws the tokens: the process beside it, or vLLM's engines."""

from __future__ import annotations

from typing import Protocol

from policy.place import Place

from .jobs import Job, Mailbox
from .orders import Load, Room


class Sampler(Protocol):
    """Brings versions to where tokens are drawn, and has jobs answered by them. All on the event
    loop, except what says otherwise."""

    async def start(self) -> None: ...

    async def stop(self, within_s: float) -> None:
        """Lets go of everything, by force what takes longer."""

    def install(self, place: Place, model: str) -> str:
        """Makes the model v0; its digest. Waits, on any thread but the loop's. Raises Broken where
        the next try would fail as well, else RuntimeError."""

    def load(self, order: Load) -> Room:
        """Brings a version there, and tries it. Waits, and raises, as `install` does."""

    def drop(self, version: str) -> None:
        """Lets go of a version that no request uses any more; from any thread."""

    def submit(self, job: Job, mailbox: Mailbox) -> None:
        """Answers the job, whose version is loaded; what is written goes to the mailbox."""

    def cancel(self, job_id: str) -> None:
        """Nobody waits for the job any more; one that is over, or unknown, is left alone."""

    def fail_all(self, reason: str) -> None:
        """Ends every job with a fault; from any thread."""

    @property
    def places(self) -> int | None:
        """Versions that there is room for at a time; None where a further one costs little."""

    @property
    def jobs(self) -> int:
        """Jobs that are not over."""

    @property
    def jobs_waiting(self) -> int:
        """Jobs that have no token yet."""

    @property
    def jobs_running(self) -> int:
        """The others."""

    @property
    def rows(self) -> int:
        """Answers being written, over all versions."""

    @property
    def cache_used(self) -> float:
        """The share of the fullest attention cache that running answers may come to need; 0 where
        that is not known here."""

    # What may be wrong with it.

    @property
    def trouble(self) -> str | None:
        """Why nothing is drawn at the moment, if that is so."""

    @property
    def crashed(self) -> bool:
        """Whether it is gone for good, and the server with it."""

    @property
    def stalled_s(self) -> float:
        """For how long it has given no sign of life."""

    def resumed(self) -> None:
        """Nobody ran for a while: it is given time anew to give one."""

    def give_up(self) -> None:
        """Ends what hangs, and every job with a fault."""
