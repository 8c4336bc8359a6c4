"""Texts that open something: `<kind>_<id>_<secret>`, given away once and kept as a digest.

A secret has 192 random bits, so that a slow hash would add nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets


def form(kind: str) -> re.Pattern[str]:
    """How such a text looks: its groups are the id and the secret."""
    return re.compile(rf"{kind}_([0-9a-f]{{12}})_([0-9a-f]{{48}})")


def new(kind: str) -> tuple[str, str]:
    """A fresh id, and the only copy of the text."""
    id = secrets.token_hex(6)
    return id, f"{kind}_{id}_{secrets.token_hex(24)}"


def digest_of(text: str, binding: str = "") -> str:
    """The SHA-256 of a text; with a `binding` it is good only together with that."""
    if not binding:
        return hashlib.sha256(text.encode()).hexdigest()
    return hmac.new(text.encode(), binding.encode(), hashlib.sha256).hexdigest()


def fits(digest: str, text: str, binding: str = "") -> bool:
    """Whether a digest is this text's; how long that takes tells nothing of the secret."""
    return hmac.compare_digest(digest, digest_of(text, binding))
