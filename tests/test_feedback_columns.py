"""feedback.columns."""

from __future__ import annotations

import math

from sqlalchemy.dialects import sqlite

from feedback.columns import Float32s, Int32s, finite

DIALECT = sqlite.dialect()


def test_integers_take_four_bytes_each_little_endian() -> None:
    """(1, -2) is 01000000 feffffff, and reads back as it was."""
    packed = Int32s().process_bind_param((1, -2), DIALECT)
    assert packed == bytes.fromhex("01000000feffffff")
    assert Int32s().process_result_value(packed, DIALECT) == (1, -2)


def test_log_probabilities_are_rounded_to_float32_and_no_further() -> None:
    """-0.5 is 000000bf; a number that float32 cannot hold is off by half a unit in the 24th bit."""
    assert Float32s().process_bind_param((-0.5,), DIALECT) == bytes.fromhex("000000bf")
    packed = Float32s().process_bind_param((-0.1,), DIALECT)
    (value,) = Float32s().process_result_value(packed, DIALECT) or ()
    assert 0 < abs(value + 0.1) < 0.1 * 2**-24


def test_numbers_that_json_cannot_hold_become_null_at_any_depth() -> None:
    """NaN and infinities turn into None inside dicts and lists; the rest stays."""
    value = {"a": math.nan, "b": [1.5, math.inf, {"c": -math.inf}], "d": "NaN", "e": 3}
    assert finite(value) == {"a": None, "b": [1.5, None, {"c": None}], "d": "NaN", "e": 3}
