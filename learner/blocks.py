"""Freed memory goes back to the system, where tensors are large.

glibc serves blocks from a heap that it keeps, up to a size that grows with every larger block that
is freed; between tensors that live long the heap stays as large as it ever was. 512 tokens' figures
over 60,000 words, which need 65 MB, took 140 to 680 MB so. Blocks with pages of their own cost a
fault for each page, which small models would feel.
"""

from __future__ import annotations

import ctypes

LEAST = 2**20
"""Bytes of a block that has pages of its own."""

_MMAP_THRESHOLD = -3  # mallopt(3); setting it also ends its growth


def give_back() -> None:
    """From now on in this process; nothing where the C library is no glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, LEAST)
