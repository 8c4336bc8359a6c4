"""Which versions are in memory, and which of them is the one that answers.

A thread follows the record's live pointer, twice a second. A new version is verified (every file
against its sha256) on this thread; the process that decodes loads it beside the old one and tries
it with a few tokens, and decodes on. Only then new requests get it; those that run finish on
theirs; a version that nobody needs is let go when its last reader has left. One that does not
verify, load or answer is never flipped to: it is rolled back on record.

Live, the one before it, v0 and a canary stay; beside them a few that were asked for by name, least
recently used out first. Where the sampler has few places, the one before and v0 have what is left.
A canary that cannot be served is rejected on record.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from sqlalchemy.exc import OperationalError

from feedback.errors import IllegalMove, PointerMoved
from feedback.records import Live
from feedback.store import Store
from policy.manifest import Manifest
from policy.source import load_chat
from policy.versions import UnknownVersion, Versions
from rankloop_faults import point

from ..operate.canary import chosen
from ..settings import ServerSettings
from .failures import LASTING, PASSING, Failure, OtherPlace
from .orders import Broken, Load
from .resident import Resident
from .sampler import Sampler

log = logging.getLogger(__name__)

BASE = "v0"
ACTOR = "server"
POLL_S = 0.5
RETRY_S = 15.0


class NotResident(Exception):
    """A version asked for by name is not in memory and cannot be brought there; the text says
    why."""


class Residence(threading.Thread):
    """Follows the live pointer, and lends versions to requests."""

    def __init__(
        self, versions: Versions, store: Store, worker: Sampler, settings: ServerSettings
    ) -> None:
        super().__init__(name="residence", daemon=True)
        self._versions = versions
        self._store = store
        self._worker = worker
        self._settings = settings
        self._residents: dict[str, Resident] = {}
        self._current: Resident | None = None
        self._wanted: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._epoch = 0
        self._tried: tuple[str, float] | None = None  # the canary, and the share of the people
        self._failures: dict[str, Failure] = {}
        self.hopeless: str | None = None  # why there is nothing to serve, now or later

    # What requests ask, from any thread.

    @property
    def current(self) -> Resident | None:
        """The version that `rankloop` means; None until the first is loaded."""
        return self._current

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self._residents)

    @property
    def canary(self) -> Resident | None:
        """The version that is tried on some of the people, once it is in memory."""
        tried = self._tried
        return None if tried is None else self._residents.get(tried[0])

    def pin(self, version: str | None, person: str | None = None) -> Resident | None:
        """Lends a version (None: the live one, or, for this person, the one that is tried) until
        `release`; None if it is not in memory.
        """
        tried = self._tried
        with self._lock:
            resident = self._current if version is None else self._residents.get(version)
            if version is None and person is not None and tried is not None:
                also = self._residents.get(tried[0]) if chosen(person, *tried) else None
                resident = also or resident
            if resident is not None:
                resident.readers += 1
                resident.used_at = time.monotonic()
            return resident

    def release(self, resident: Resident) -> None:
        with self._lock:
            resident.readers -= 1

    def want(self, version: str) -> Future[None]:
        """Asks for a version; the future is done when it is in memory, or raises NotResident."""
        with self._lock:
            wanted = self._wanted.setdefault(version, Future())
        self._wake.set()
        return wanted

    @property
    def problems(self) -> dict[str, str]:
        """Versions that could not be brought into memory, and why."""
        return {version: failure.reason for version, failure in list(self._failures.items())}

    @property
    def crashed(self) -> bool:
        return not self._stopping and self.ident is not None and not self.is_alive()

    def follow(self) -> None:
        """Looks at the live pointer now instead of within half a second."""
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    # The thread.

    def run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                self._tick()
            except OperationalError:
                # The answers go on without the database's news; /readyz says that it is away.
                log.warning("the database does not answer; still serving what is loaded")
            self._wake.wait(POLL_S)

    def _tick(self) -> None:
        live = self._store.live()
        self._flip(live)
        self._try(live)
        self._load_wanted(live)
        self._keep_at_hand(live)
        self._free(live)

    def _flip(self, live: Live) -> None:
        """New requests get the live version, if it can be brought into memory."""
        if live.epoch != self._epoch:
            self._epoch, self._failures = live.epoch, {}
        if self._current is not None and self._current.id == live.version:
            return
        if self._bring(live.version):
            point("residence.flip")
            self._current = self._residents[live.version]
            log.info("%s answers now", live.version)
        elif self._failures[live.version].lasting:
            self._turn_back(live)

    def _try(self, live: Live) -> None:
        """Some of the people get the canary, once it is in memory."""
        id = live.canary
        if id is None or self._current is None:
            self._tried = None
        elif self._bring(id):
            share = self._settings.canary.share if live.share is None else live.share
            self._tried = (id, share)
        else:
            self._tried = None
            self._end_trial(id)

    def _end_trial(self, id: str) -> None:
        failure = self._failures[id]
        if failure.lasting:
            try:
                self._store.reject(id, actor=ACTOR, reason=f"it cannot be served: {failure.reason}")
            except IllegalMove as error:
                log.warning("%s is no longer tried: %s", id, error)

    def _turn_back(self, live: Live) -> None:
        """A live version that is broken is rolled back on record, so that the learner leaves it
        too. Other servers may find it broken at the same moment: only the first moves the pointer.
        """
        failure = self._failures[live.version]
        reason = f"it cannot be served: {failure.reason}"
        try:
            self._store.rollback(actor=ACTOR, reason=reason, epoch=live.epoch)
            self._wake.set()
        except PointerMoved:
            self._wake.set()
        except IllegalMove as error:
            log.error("%s cannot be rolled back: %s", live.version, error)
            self._failures[live.version] = replace(failure, lasting=False)
            if self._current is None:
                self.hopeless = failure.reason

    def _load_wanted(self, live: Live) -> None:
        with self._lock:
            wanted, self._wanted = self._wanted, {}
        for version, future in wanted.items():
            if version in self._residents or (self._make_room(live) and self._bring(version)):
                future.set_result(None)
            else:
                failure = self._failures.get(version)
                reason = failure.reason if failure else "all places for versions are in use"
                future.set_exception(NotResident(reason))

    def _keep_at_hand(self, live: Live) -> None:
        """The version before, to roll back to, and v0, to compare with."""
        for version in (live.previous, BASE):
            full = self._worker.places is not None and len(self._residents) >= self._worker.places
            if version is not None and not self._stopping and not full:
                self._bring(version)

    def _bring(self, version: str) -> bool:
        """Whether the version is in memory, after trying; if not, why stands in `_failures`."""
        if version in self._residents:
            return True
        failure = self._failures.get(version)
        if failure is not None and time.monotonic() < failure.retry_at:
            return False
        try:
            self._load(version)
        except LASTING as error:
            self._fail(version, error, lasting=True)
        except PASSING as error:
            self._fail(version, error, lasting=False)
        else:
            self._failures.pop(version, None)
        return version in self._residents

    def _fail(self, version: str, error: Exception, *, lasting: bool) -> None:
        log.error("%s cannot be served: %s", version, error)
        self._failures[version] = Failure(str(error), lasting, time.monotonic() + RETRY_S)

    def _load(self, version: str) -> None:
        """Verifies, loads, tries, and only then shows the version to requests."""
        manifest = self._verified(version)
        point("residence.load")
        if manifest.digest != self._store.version(version).digest:
            raise Broken("its files are others than those on record")
        folder, base = self._versions.folder(version), self._base(version)
        self._clear_place()
        room = self._worker.load(Load(version, folder, base, manifest.digest))
        resident = Resident(version, manifest.digest, load_chat(base or folder), room)
        with self._lock:
            self._residents[version] = resident

    def _verified(self, version: str) -> Manifest:
        """Its manifest, its files read. A server that was given another place than the others must
        not call the live version broken for all of them."""
        try:
            return self._versions.verify(version)
        except UnknownVersion:
            if self._is_elsewhere():
                raise OtherPlace(version, self._versions.name) from None
            raise

    def _is_elsewhere(self) -> bool:
        """Whether none of the versions that were ever published lies here."""
        published = {info.id for info in self._store.versions()} - {BASE}
        return not published & set(self._versions.ids())

    def _base(self, version: str) -> Path | None:
        """The folder of the model whose tensors the version shares, whose files were verified: v0's
        for adapters and for v0 itself."""
        base = BASE if version == BASE else self._versions.base_of(version)
        if base is None:
            return None
        if base != version and base not in self._residents:
            self._versions.verify(base)
        return self._versions.folder(base)

    def _make_room(self, live: Live) -> bool:
        """Lets the least recently used spare version go if all places are taken."""
        spares = self._spares(live)
        if len(spares) < self._settings.spare_versions:
            return True
        idle = [resident for resident in spares if resident.readers == 0]
        return self._settings.spare_versions > 0 and bool(idle) and self._drop(idle[0])

    def _clear_place(self) -> None:
        """Lets go of what nobody reads while all of the sampler's places are taken; raises
        RuntimeError if there is nothing to let go of."""
        places = self._worker.places
        if places is None or len(self._residents) < places:
            return
        needed = {self._current, self.canary}
        others = [resident for resident in self._residents.values() if resident not in needed]
        if not any(map(self._drop, sorted(others, key=lambda resident: resident.used_at))):
            raise RuntimeError(f"all {places} places for versions are in use")

    def _free(self, live: Live) -> None:
        """Versions beyond the spare places go when nobody reads them."""
        spares = self._spares(live)
        for resident in spares[: max(0, len(spares) - self._settings.spare_versions)]:
            self._drop(resident)

    def _spares(self, live: Live) -> list[Resident]:
        """Versions that only requests by name need, least recently used first."""
        current = self._current.id if self._current else None
        kept = {live.version, live.previous, live.canary, BASE, current}
        spares = [resident for id, resident in self._residents.items() if id not in kept]
        return sorted(spares, key=lambda resident: resident.used_at)

    def _drop(self, resident: Resident) -> bool:
        """Lets a version go unless somebody reads it."""
        with self._lock:
            if resident.readers:
                return False
            del self._residents[resident.id]
        self._worker.drop(resident.id)
        return True
