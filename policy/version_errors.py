"""What can be wrong with a version folder, or with the folder of them all."""

from __future__ import annotations

from policy.manifest import Manifest


class UnknownVersion(LookupError):
    """No version of this id was ever published, or it was removed."""

    def __init__(self, id: str) -> None:
        super().__init__(f"There is no version {id!r}.")
        self.id = id


class VersionExists(ValueError):
    """A version is never written twice; a publisher that died before it said so may remove it."""

    def __init__(self, id: str) -> None:
        super().__init__(f"Version {id!r} is already published.")
        self.id = id


class CorruptVersion(ValueError):
    """A version's folder is not what its manifest says."""

    def __init__(self, id: str, file: str, reason: str) -> None:
        super().__init__(f"Version {id} does not verify: {file} {reason}.")
        self.id = id
        self.file = file
        self.reason = reason


class WrongModel(ValueError):
    """The data folder belongs to another starting model than the one asked for."""

    def __init__(self, place: str, made_with: Manifest, asked: Manifest) -> None:
        super().__init__(
            f"{place} was made with model {made_with.base!r} ({made_with.digest[:12]}), not with "
            f"{asked.base!r} ({asked.digest[:12]}). Use that model, or another data folder."
        )
        self.made_with = made_with.base
        self.asked = asked.base


class UnusablePlace(ValueError):
    """Nothing here can keep versions at such an address."""

    def __init__(self, url: str, reason: str) -> None:
        scheme = url.partition("://")[0]
        hint = " (pip install 'rankloop[s3]')" if scheme in ("s3", "s3a") else ""
        super().__init__(f"versions.url {scheme}://... cannot be used: {reason}{hint}")


class StoreAway(OSError):
    """The place where versions are kept does not answer, or refuses."""

    def __init__(self, url: str, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        super().__init__(f"the versions at {url} cannot be reached: {reason}")
