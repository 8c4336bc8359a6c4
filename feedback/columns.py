"""Column types that read and write alike on SQLite and PostgreSQL: packed numbers, and JSON
without NaN.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from sqlalchemy import JSON, Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator


class Int32s(TypeDecorator[tuple[int, ...]]):
    """Integers as little-endian int32, four bytes each."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: tuple[int, ...] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else struct.pack(f"<{len(value)}i", *value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> tuple[int, ...] | None:
        return None if value is None else struct.unpack(f"<{len(value) // 4}i", value)


class Float32s(TypeDecorator[tuple[float, ...]]):
    """Numbers as little-endian float32, four bytes each."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: tuple[float, ...] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else struct.pack(f"<{len(value)}f", *value)

    def process_result_value(
        self, value: bytes | None, dialect: Dialect
    ) -> tuple[float, ...] | None:
        return None if value is None else struct.unpack(f"<{len(value) // 4}f", value)


class Json(TypeDecorator[Any]):
    """JSON, escaped to ASCII; a number that is not finite becomes null, since JSON has no word for
    it.

    Text that people or models wrote is kept in it too: PostgreSQL's text type refuses U+0000.
    """

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return finite(value)


def finite(value: Any) -> Any:
    """The value with None in place of every NaN and infinity, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
