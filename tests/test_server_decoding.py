"""The process that decodes, asked as the serving process asks it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from policy.params import SamplingParams
from policy.place import Place
from server.decode.jobs import Job, Piece
from server.decode.orders import (
    Done,
    Failed,
    Frames,
    Install,
    Load,
    Order,
    Room,
    Stepped,
    Stop,
    Submit,
    Task,
    framed,
)
from server.settings import ServerSettings
from tests.tiny_models import make_tiny

WAIT_S = 60.0


@dataclass
class Child:
    """The process and the serving end of its socket."""

    process: subprocess.Popen[bytes]
    end: socket.socket
    frames: Frames = field(default_factory=Frames)
    come: list[Any] = field(default_factory=list)

    def tell(self, order: Order) -> None:
        self.end.sendall(framed(order))

    def report(self) -> Any:
        """The next one."""
        while not self.come:
            data = self.end.recv(65536)
            assert data, "the process has ended"
            self.come += self.frames.feed(data)
        return self.come.pop(0)

    def have_done(self, task: Task) -> Done | Failed:
        self.tell(task)
        while not isinstance(report := self.report(), Done | Failed):
            pass
        assert report.task == task
        return report


@pytest.fixture
def child() -> Iterator[Child]:
    ours, theirs = socket.socketpair()
    ours.settimeout(WAIT_S)
    command = [sys.executable, "-m", "server.decode.process", str(theirs.fileno())]
    settings = ServerSettings().model_dump_json()
    with (
        ours,
        subprocess.Popen([*command, settings, "plain"], pass_fds=[theirs.fileno()]) as process,
    ):
        theirs.close()
        yield Child(process, ours)
        process.kill()


def test_it_loads_a_model_and_answers(child: Child, tmp_path: Path) -> None:
    """Told to stop it ends well; and signals to the whole group are for the serving process."""
    child.report()
    child.process.send_signal(signal.SIGINT)
    child.process.send_signal(signal.SIGTERM)
    folder = make_tiny(tmp_path / "model")
    assert isinstance(child.have_done(Install(Place(tmp_path / "versions"), str(folder))), Done)
    done = child.have_done(Load("v0", folder))
    assert isinstance(done, Done)
    assert isinstance(done.result, Room)
    params = SamplingParams(max_tokens=3)
    child.tell(Submit(Job("a-job", "v0", (5, 6, 7), 1, params, ignore_eos=True)))
    pieces: list[Piece] = []
    while not pieces or pieces[-1].finish is None:
        report = child.report()
        assert isinstance(report, Stepped)
        pieces += [event for _, event in report.written if isinstance(event, Piece)]
    assert [piece.finish for piece in pieces] == [None, None, "length"]
    child.tell(Stop())
    assert child.process.wait(WAIT_S) == 0


def test_what_cannot_be_done_is_told(child: Child, tmp_path: Path) -> None:
    """A model that is not there will not be there at the next try; and the process goes on."""
    refused = child.have_done(Install(Place(tmp_path / "versions"), str(tmp_path / "nowhere")))
    assert isinstance(refused, Failed)
    assert refused.lasting
    assert "no config.json" in refused.reason
    failed = child.have_done(Load("v1", tmp_path / "nowhere"))
    assert isinstance(failed, Failed)
    assert isinstance(child.report(), Stepped)


def test_it_ends_when_nobody_is_left_to_answer(child: Child) -> None:
    """As after a kill -9 of the serving process."""
    child.report()
    child.end.close()
    assert child.process.wait(WAIT_S) == 0
