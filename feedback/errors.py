"""What the store refuses, as types: each names the parameter, the value and the reason.

`param` is the name that a caller of the HTTP API would know, `value` is what was given. Mapping to
HTTP is the server's.
"""

from __future__ import annotations


class StoreError(Exception):
    """Something that was asked of the store and cannot be done."""

    def __init__(self, message: str, *, param: str | None = None, value: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.value = value


class NotFound(StoreError):
    """No row has this id."""


class UnknownCandidate(NotFound):
    """No candidate, or no completion, has this id."""


class UnknownVersion(NotFound):
    """No version has this id."""


class UnknownRound(NotFound):
    """No round has this id."""


class UnknownRater(NotFound):
    """Nobody of this name has ranked anything that can be learned from."""


class UnknownTask(NotFound):
    """No item of the labelling queue has this id."""


class UnknownKey(NotFound):
    """Nobody was given such a key."""


class UnknownAccount(NotFound):
    """Nobody of this name may sign in."""


class InvalidPassword(StoreError):
    """The password is too easy to guess. No value: it is nobody's to read."""


class NotAdmitted(StoreError):
    """Who asks to sign in is not let in: by a wrong password, a link that is used up, and so on."""


class NameTaken(StoreError):
    """The name is another's, so that nobody else can begin to sign in by it."""


class InvalidText(StoreError):
    """A name or key is empty, too long, or holds a character that a database cannot keep."""


class InvalidRanking(StoreError):
    """The ranks, ratings or candidates do not form a ranking."""


class DifferentPrompts(InvalidRanking):
    """The candidates answer different prompts, so comparing them says nothing."""


class InvalidDemonstration(StoreError):
    """The messages do not form a conversation with an answer, or edit no such candidate."""


class InvalidMark(StoreError):
    """A thumb or a rating that says nothing."""


class InvalidPrompt(StoreError):
    """The messages are none that somebody could answer."""


class NotIssued(StoreError):
    """The item was not given to this person, or has been given to another since."""


class IdempotencyConflict(StoreError):
    """The person used this idempotency key before, with another body."""


class VersionExists(StoreError):
    """Another version has this id already."""


class IllegalMove(StoreError):
    """A version or a round cannot go from its state to the one asked for."""


class NothingToRollBack(IllegalMove):
    """No earlier version that may serve was live before this one."""


class PointerMoved(IllegalMove):
    """Another version has become live since the caller looked."""


class LeaseLost(StoreError):
    """The claim's lease has expired or was taken over: its holder may write nothing more."""
