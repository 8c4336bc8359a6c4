"""What the learner passes while it publishes and keeps a round, and each fault there."""

from __future__ import annotations

import random
import re
import resource
import signal
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from tests.faults.ground import RANKINGS, WAIT_S, Folder, Process, Starts, until
from tests.faults.invariants import broken
from tests.faults.row import Row, alone

PUBLISHING = (
    "versions.save",
    "versions.manifest",
    "durable.write",
    "versions.rename",
    "versions.placed",
    "publish.register",
    "publish.registered",
    "round.finish",
    "round.finished",
)
"""Passed by a round that has its policy; each for the first time after it was taken up again."""

KEEPING = ("saved.rename", "saved.renamed")
"""Passed whenever a round's state is kept."""

FAULTS = ("kill", "full", "io", "stall", "memory")

NOT_A_NUMBER = {
    "reward": "learner.reward.learning_rate",
    "policy": "learner.ppo.learning_rate",
}
"""By what is trained, the setting that spoils it."""


def learner_row(folder: Folder, point: str, fault: str) -> list[str]:
    """Let the learner meet the fault, and another or the same one end the round; what is broken."""
    with folder.process("learner", f"{point}:{fault}") as learner:
        if fault == "kill":
            until(lambda: learner.dead, "the learner dies")
            _finished_by_another(folder)
        elif fault == "stall":
            until(lambda: learner.stopped, "the learner stops")
            _let_write(folder, learner)
            _finished_by_another(folder)
            _woken(learner)
        else:
            finished(folder, learner)
    return broken(folder, range(1, RANKINGS + 1))


def _began(folder: Folder) -> bool:
    return bool(folder.rounds())


def _let_write(folder: Folder, stopped: Process) -> None:
    """Where the moment hit the thread that beats in the middle of a write, SQLite's one place for a
    writer is stopped with it, and nobody could take over: on for a moment, until it is free.
    """
    with closing(sqlite3.connect(folder.data / "rankloop.db", timeout=1.0)) as record:
        while True:
            try:
                record.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                stopped.send(signal.SIGCONT)
                time.sleep(0.05)
                stopped.send(signal.SIGSTOP)
            else:
                return


def _finished_by_another(folder: Folder) -> None:
    """The lease runs out, and a second learner takes the round to its end."""
    folder.expire()
    with folder.process("learner") as other:
        finished(folder, other)


def finished(folder: Folder, learner: Process, *, stop: bool = True) -> None:
    """The round is over; where it failed, the next one is done, asked for by a person."""
    until(lambda: learner.dead or (_began(folder) and not is_open(folder)), "the round ends")
    if folder.rounds()[0].state == "failed":
        ask(folder)
        until(lambda: learner.dead or not is_open(folder), "the next round ends")
    last = folder.rounds()[0]
    assert last.state == "done", f"{last.state}: {last.error}; {learner.said[-1500:]}"
    until(lambda: not list((folder.data / "rounds").glob("*")), "its state is removed")
    if stop:
        learner.stop()


def _woken(learner: Process) -> None:
    """It goes on where it stood, and finds that it may write nothing."""
    learner.send(signal.SIGCONT)
    ended = re.compile(r"round 1 (is no longer|failed)")
    until(lambda: learner.dead or bool(ended.search(learner.said)), "it looks again")
    learner.stop()


def is_open(folder: Folder) -> bool:
    return any(row.state in ("queued", "running") for row in folder.rounds())


LATEST_S = 25.0
"""Of a death after the claim, where a round takes long: a hundred are to have an end."""


def random_deaths(folder: Folder, times: int, seed: int) -> list[str]:
    """SIGKILL at moments that the seed gives, in round after round, and the last one still ends;
    what is broken.

    A round is given up at its third death, so that many of them die; they begin anew.
    """
    rng, took = random.Random(seed), _seconds_of_a_round(folder)
    for _ in range(times):
        with folder.process("learner") as learner:
            until(lambda: learner.dead or _claimed(folder), "a round is claimed")
            time.sleep(rng.uniform(0.0, min(0.7 * took, LATEST_S)))
            learner.send(signal.SIGKILL)
        folder.expire()
    ask(folder)
    _finished_by_another(folder)
    return broken(folder, range(1, RANKINGS + 1))


def _claimed(folder: Folder) -> bool:
    """Whether one is; where there is none, one is asked for: by itself the next would come later
    the more have failed.
    """
    if not is_open(folder):
        ask(folder)
    return held(folder)


def _seconds_of_a_round(folder: Folder) -> float:
    """One that nobody disturbs."""
    began = time.monotonic()
    with folder.process("learner") as learner:
        ask(folder)
        finished(folder, learner)
    return time.monotonic() - began


def ask(folder: Folder) -> None:
    folder.store.request_round(trigger="operator", actor="ada")


def stopped_gracefully(folder: Folder, times: int = 4) -> list[str]:
    """SIGTERM more often than a round has attempts: none of them counts, and the next learner goes
    on at once, without waiting for the lease to run out.
    """
    found = []
    for _ in range(times):
        with folder.process("learner") as learner:
            until(lambda: bool(folder.rounds()) and held(folder), "the round is claimed")
            if learner.stop() != 0:
                found.append("the learner did not end with 0")
    if held(folder):
        found.append("a stopped learner keeps the lease")
    began = time.monotonic()
    with folder.process("learner") as learner:
        finished(folder, learner)
    assert time.monotonic() - began < WAIT_S
    return [*found, *broken(folder, range(1, RANKINGS + 1))]


def held(folder: Folder) -> bool:
    return folder.store.learner().lease is not None


def not_a_number(folder: Folder, setting: str) -> list[str]:
    """A learning rate that makes the weights, and so the loss, no numbers after one update: the
    round ends with a reason and nobody is answered by what came of it.
    """
    with folder.process("learner", None, f"--{setting}=1e30") as learner:
        until(lambda: learner.dead or bool(folder.rounds()), "a round begins")
        until(lambda: learner.dead or not is_open(folder), "the round ends")
        learner.stop()
    last = folder.rounds()[0]
    told = last.error or " ".join(r.text for r in last.reasons if not r.passed)
    live = folder.store.live().version
    found = [] if live == "v0" else [f"{live} is live"]
    if last.outcome not in ("failed", "rejected", "needs_feedback") or not told:
        found.append(f"the round is {last.outcome}: {told}")
    with folder.process("learner") as learner:
        ask(folder)
        finished(folder, learner)
    return [*found, *broken(folder, range(1, RANKINGS + 1))]


def out_of_memory(folder: Folder) -> list[str]:
    """The round fails for want of memory, really; with memory again the next one is done."""
    with folder.process("learner") as learner:
        until(lambda: learner.dead or held(folder), "the round is claimed")
        before = resource.prlimit(learner.child.pid, resource.RLIMIT_AS)
        taken = int(Path(f"/proc/{learner.child.pid}/statm").read_text().split()[0])
        limit = taken * resource.getpagesize()
        resource.prlimit(learner.child.pid, resource.RLIMIT_AS, (limit, before[1]))
        until(lambda: learner.dead or not is_open(folder), "the round ends")
        last = folder.rounds()[0]
        if learner.dead:
            return ["the learner has died", learner.said[-500:]]
        resource.prlimit(learner.child.pid, resource.RLIMIT_AS, before)
        if last.state == "done":
            return ["the memory sufficed: nothing was tried"]
        finished(folder, learner)
    if not re.search("(?i)memory|allocate|thread", last.error or ""):
        return [f"the round failed of something else: {last.error}"]
    return broken(folder, range(1, RANKINGS + 1))


def stalling_pair(folder: Folder, seed: int) -> list[str]:
    """Two learners, each held by SIGSTOP in the middle of its turn and let go on in the other's:
    one round, published once.
    """
    rng = random.Random(seed)
    with folder.process("learner") as one, folder.process("learner") as other:
        pair = [one, other]
        for turn in range(2):
            running, resting = pair[turn % 2], pair[(turn + 1) % 2]
            until(lambda: held(folder) or not is_open(folder), "one of the two has the lease")
            time.sleep(rng.uniform(0.1, 3.0))
            running.send(signal.SIGSTOP)
            _let_write(folder, running)
            folder.expire()
            resting.send(signal.SIGCONT)
        for learner in pair:
            learner.send(signal.SIGCONT)
        finished(folder, one)
        other.stop()
    return broken(folder, range(1, RANKINGS + 1))


def rows(starts: Starts, seed: int, deaths: int) -> list[Row]:
    """Every point with every fault, and what befalls a learner anywhere."""
    at_points = [
        alone(
            point,
            fault,
            starts.fresh if point in KEEPING else starts.improved,
            partial(learner_row, point=point, fault=fault),
        )
        for point in (*PUBLISHING, *KEEPING)
        for fault in FAULTS
    ]
    return [
        *at_points,
        alone("learner", "SIGTERM", starts.fresh, stopped_gracefully),
        *(
            alone(f"{part} model", "NaN loss", starts.fresh, partial(not_a_number, setting=setting))
            for part, setting in NOT_A_NUMBER.items()
        ),
        alone("learner", "out of memory", starts.fresh, out_of_memory),
        alone(
            "two learners",
            "SIGSTOP and SIGCONT",
            starts.improved,
            partial(stalling_pair, seed=seed),
        ),
        alone(
            "learner",
            f"{deaths} random deaths",
            starts.fresh,
            partial(random_deaths, times=deaths, seed=seed),
        ),
    ]
