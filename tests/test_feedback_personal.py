"""feedback.personal: what has the form of personal data, and what does not."""

from __future__ import annotations

import time

import pytest

from feedback.personal import in_turns, is_card, kinds


@pytest.mark.parametrize(
    "text",
    [
        "write to ada.lovelace+news@example.co.uk, please",
        "<ada@example.org>",
        "jürgen@müller.de",
    ],
)
def test_mail_addresses(text: str) -> None:
    """A name, an at sign, and a domain with a dot."""
    assert kinds(text) == {"mail"}


@pytest.mark.parametrize(
    "text",
    [
        "+49 170 1234567",
        "call +1 (555) 123-4567 now",
        "0170 1234567",
        "030/1234567",
        "01701234567",
        "(555) 123-4567",
        "555-123-4567.",
    ],
)
def test_phone_numbers(text: str) -> None:
    """With a country's or a trunk's prefix, or in North America's groups."""
    assert kinds(text) == {"phone"}


@pytest.mark.parametrize(
    ("number", "whole"),
    [
        # Luhn by hand: 4·2=8 1 1·2=2 1 ... of 4111111111111111: 8 + 7·2 + 8·1 = 30
        ("4111111111111111", True),
        ("4111 1111 1111 1111", True),
        ("5500-0000-0000-0004", True),
        ("340000000000009", True),
        ("4111111111111112", False),
        ("1111111111111117", False),
    ],
)
def test_payment_cards_pass_luhns_check(number: str, whole: bool) -> None:
    """One digit off, or a first digit that no card has, is none."""
    assert is_card(number) is whole
    assert ("card" in kinds(f"my card is {number}!")) is whole


@pytest.mark.parametrize(
    "text",
    [
        "What is 1234 + 5678? It is 6912.",
        "3.14159265358979 and 2,718,281,828",
        "on 2024-01-31 at 10:30, or 01/02/2024",
        "@ada said it, meet me @ 5",
        "0.5 - 0.25 = 0.25; 007; 100 200 300",
        "a version 1.10.12-4567 of x@y",
        "ISBN 978-3-16-148410-0",
        "",
    ],
)
def test_plain_numbers_and_dates_are_none(text: str) -> None:
    """Sums, dates, versions and books are asked about all the time."""
    assert kinds(text) == frozenset()


def test_no_text_takes_long() -> None:
    """A megabyte of what could begin any of them takes less than two seconds."""
    for piece in ("a.", "1 ", "+1 ", "0-", "a@b.", "(555) "):
        text = piece * (2**20 // len(piece))
        began = time.monotonic()
        kinds(text)
        assert time.monotonic() - began < 2, piece


def test_a_conversation_holds_it_in_any_turn() -> None:
    """The system's turn counts too."""
    assert in_turns((("system", "mail ada@example.org"), ("user", "hi")))
    assert not in_turns((("system", "be kind"), ("user", "hi")))
