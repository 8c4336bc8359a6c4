"""Personal data in texts: mail addresses, phone numbers, payment cards. Pure.

It finds what has the form of one, and so some that are none and not all that are: names, streets
and account numbers have no form. A card's digits have to pass Luhn's check, which one in ten random
numbers does; a phone number has to begin with + or 0 or be written as 555-123-4567.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .preferences import MarkedPrompt, RankedPrompt

Turns = tuple[tuple[str, str], ...]

# Parts are bounded, so that no text takes longer than its length.
MAIL = re.compile(r"[\w.+%-]{1,64}@(?:[^\W_][\w-]{0,62}\.){1,8}[^\W\d_]{2,24}\b")
CARD = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d.,]?\d)")
PHONE = re.compile(
    r"(?<![\w.,+])(?:"
    r"\+\d(?:[ ()./-]{0,3}\d){7,14}"
    r"|0\d{2,5}[ /-]{1,3}\d(?:[ /-]?\d){4,9}"
    r"|0\d{9,11}"
    r"|\(?\d{3}\)?[ .-]\d{3}[.-]\d{4}"
    r")(?![\w]|[.,]\d)"
)


def kinds(text: str) -> frozenset[str]:
    """Which of mail, card and phone the text holds."""
    found = []
    if "@" in text and MAIL.search(text):
        found.append("mail")
    if any(is_card(match.group()) for match in CARD.finditer(text)):
        found.append("card")
    if PHONE.search(text):
        found.append("phone")
    return frozenset(found)


def is_card(number: str) -> bool:
    """13 to 19 digits that begin as payment cards do and pass Luhn's check."""
    digits = [int(c) for c in number if c.isdecimal()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6):
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def in_turns(messages: Turns) -> bool:
    """Whether a conversation holds any."""
    return _any(content for _, content in messages)


def in_answered(given: RankedPrompt | MarkedPrompt) -> bool:
    """Whether a prompt or one of its answers does."""
    return _any(_texts(given))


def _texts(given: RankedPrompt | MarkedPrompt) -> Iterator[str]:
    yield from (content for _, content in given.messages)
    yield from (answer.text for answer in given.answers)


def _any(texts: Iterable[str]) -> bool:
    return any(kinds(text) for text in texts)
