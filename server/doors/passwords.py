"""Looks at passwords on threads, few at a time: each takes 64 MiB and a core for some 50 ms."""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread

from feedback import passwords

AT_A_TIME = 2


class Passwords:
    """What `feedback.passwords` does, without holding up anybody's answers."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter | None = None

    async def hashed(self, password: str, person: str) -> str:
        """What is kept of a new password; raises InvalidPassword."""
        return await to_thread.run_sync(
            passwords.hashed, password, person, limiter=self._few_at_a_time
        )

    async def fits(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; where none is kept it takes as long and is not."""
        return await to_thread.run_sync(passwords.fits, kept, password, limiter=self._few_at_a_time)

    @property
    def _few_at_a_time(self) -> CapacityLimiter:
        if self._limiter is None:  # it belongs to the event loop, which runs by now
            self._limiter = CapacityLimiter(AT_A_TIME)
        return self._limiter
