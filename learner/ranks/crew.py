"""The other processes of a round: started by the learner for one round, or there by torchrun.

1. The learner's own are on its machine, meet in a file and speak over the loopback interface. They
   live as long as the round: between rounds nothing holds their memory.
2. torchrun's stay, meet where it says, and wait for the next round.
3. A process that dies ends the round, for the others too. Rank 0 hands it back, and it is taken up
   again as a round is that was interrupted; other ranks have nothing to undo.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from feedback.records import Claim
from learner.ranks import group
from learner.ranks.group import RankLost
from learner.settings import LearnerSettings
from policy.place import Place

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

log = logging.getLogger("rankloop.learner")

COME_S = 600.0
"""That other ranks have to import what is large, on a machine that is busy."""

LEAVE_S = 10.0
"""That other ranks have to see that the round is over; then they are ended."""

LOOK = timedelta(minutes=1)
"""Between two looks of a waiting process, whether a round begins."""


@dataclass(frozen=True)
class Order:
    """What rank 0 tells the others of a round. All see the same data folder and versions."""

    claim: Claim
    model: str
    settings: LearnerSettings
    data: Path
    place: Place


@dataclass(frozen=True)
class Seat:
    """Which rank a process is, of how many, and where they meet: in a file of the learner's, or, in
    their so manieth round, where torchrun says.
    """

    rank: int
    size: int
    file: Path | None = None
    round: int = 0

    @classmethod
    def of_torchrun(cls, round: int) -> Seat:
        return cls(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), round=round)

    def store(self) -> Store:
        """Where the ranks of this round meet."""
        from torch._C._distributed_c10d import FileStore
        from torch.distributed.distributed_c10d import PrefixStore

        if self.file is not None:
            return FileStore(str(self.file), self.size)
        return PrefixStore(f"round {self.round}", _of_torchrun())


@cache
def _of_torchrun() -> Store:
    from torch.distributed.rendezvous import rendezvous

    store: Store
    store, _, _ = next(iter(rendezvous("env://")))
    return store


def launched() -> bool:
    """Whether torchrun has started this process beside others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def follows() -> bool:
    """Whether it has started it as another rank than 0."""
    return launched() and int(os.environ["RANK"]) > 0


class Crew:
    """Rank 0's: it brings the others together for each round."""

    def __init__(self) -> None:
        self.rounds = 0

    @contextmanager
    def together(self, order: Order) -> Iterator[None]:
        """A round of all ranks. Raises RankLost once one of them is no longer there."""
        if launched():
            seat = Seat.of_torchrun(self.rounds)
            self.rounds += 1
            seat.store().set("begins", "")
            with _seated(seat, order.settings.device):
                group.first(lambda: order)
                yield
        elif order.settings.processes > 1:
            with _started(order.settings) as seat, _seated(seat, order.settings.device):
                group.first(lambda: order)
                yield
        else:
            yield


@contextmanager
def _seated(seat: Seat, device: str) -> Iterator[None]:
    """One of the ranks, for as long as this lasts. Raises RankLost."""
    from learner.device import device_of
    from learner.ranks.wire import Wire, lost

    wire = Wire(seat.store(), seat.rank, seat.size, device_of(device))
    group.join(wire)
    try:
        with lost():
            yield
    finally:
        group.join(None)
        wire.close()


@contextmanager
def _started(settings: LearnerSettings) -> Iterator[Seat]:
    """The learner's own other ranks, and its own seat."""
    context, size = multiprocessing.get_context("spawn"), settings.processes
    with tempfile.TemporaryDirectory(prefix="rankloop-") as folder:
        seats = [Seat(rank, size, Path(folder) / "meeting") for rank in range(size)]
        others: list[BaseProcess] = [
            context.Process(target=_serve, args=(seat, settings.device), daemon=True)
            for seat in seats[1:]
        ]
        for other in others:
            other.start()
        try:
            _await(seats[1:], others)
            _stay_on_this_machine()
            yield seats[0]
        except RankLost as error:
            raise RankLost("; ".join([*_ended(others), str(error)])) from error
        finally:
            _end(others)


def _await(seats: list[Seat], others: list[BaseProcess]) -> None:
    """Until all have come; raises RankLost for one that ends before, or does not come."""
    until = time.monotonic() + COME_S
    while not all(_sign(seat).exists() for seat in seats):
        if any(other.exitcode is not None for other in others) or time.monotonic() > until:
            raise RankLost(f"not all {len(seats) + 1} processes came to the round")
        time.sleep(0.02)


def _ended(others: list[BaseProcess]) -> Iterator[str]:
    for rank, other in enumerate(others, 1):
        other.join(timeout=1.0)  # its connections close a moment before it is gone
        if other.exitcode:
            yield f"process {rank} of the round ended with {other.exitcode}"


def _end(others: list[BaseProcess]) -> None:
    until = time.monotonic() + LEAVE_S
    for other in others:
        other.join(timeout=max(0.0, until - time.monotonic()))
        other.kill()
        other.join()


def _sign(seat: Seat) -> Path:
    """What tells that a process has come."""
    assert seat.file is not None, "it is the learner's own"
    return seat.file.with_name(f"rank-{seat.rank}")


def _stay_on_this_machine() -> None:
    """Nobody else reaches the connections between the learner's own processes."""
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")


def _serve(seat: Seat, device: str) -> None:
    """A process that the learner has started for a round."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the learner hands the round back, then they end
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _stay_on_this_machine()
    os.environ["LOCAL_RANK"] = str(seat.rank)
    if not _follow(seat, device):
        sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "the learner started this process"
    parent.join()
    os._exit(1)


def keep_following(device: str) -> NoReturn:
    """Another rank than 0 of torchrun's: round after round, until it is ended."""
    seats = (Seat.of_torchrun(round) for round in count())
    while True:
        seat = next(seats)
        while not _begins(seat):
            pass
        _follow(seat, device)


def _begins(seat: Seat) -> bool:
    """Whether rank 0 begins this round within the next minute."""
    from torch.distributed import DistStoreError

    try:
        seat.store().wait(["begins"], LOOK)
    except DistStoreError:
        return False
    return True


def _follow(seat: Seat, device: str) -> bool:
    """One round; whether it went well here. Where rank 0 has left it, that is for rank 0 to say."""
    from learner.ranks.following import follow

    log.setLevel(logging.WARNING)  # rank 0 says the rest
    if seat.file is not None:
        _sign(seat).touch()
    try:
        with _seated(seat, device):
            follow()
    except RankLost as error:
        log.info("rank %d left the round: %s", seat.rank, error)
    except Exception:  # the process's edge: the round ends for all, and why is said here
        log.exception("rank %d of the round failed", seat.rank)
        return False
    return True
