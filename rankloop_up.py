"""`rankloop up`: server, learner and UI as three supervised processes, until Ctrl-C.

supervisord spawns them, restarts one that dies, with a growing pause, and stops them all. This file
writes its configuration, follows the logs, says when both addresses answer, and passes the stop on.
It knows what the processes are called, and nothing of what they do.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rankloop_logs import Format, collected
from rankloop_settings import Settings, UserError

if TYPE_CHECKING:
    from types import FrameType

    import httpx

PROGRAMS = ("server", "learner", "ui")
WIDTH = max(map(len, PROGRAMS))
# Ten seconds are promised from the signal to the last process gone; supervisord kills after this.
STOP_SECONDS = 7
# Dying sooner than this is a failed start: the pause before the next grows by a second each time.
START_SECONDS = 4
POLL_SECONDS = 0.2
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
STARTED_IN = "SUPERVISOR_STARTED_IN"  # the environment variable with the processes' folder
# What a process exits with when only its user can help, such as a model that cannot be served.
USER_ERROR_STATUS = 2


def keep_up(settings: Settings, environment: Mapping[str, str], config: Path | None) -> int:
    """Runs until told to stop; returns the exit status. Raises UserError before anything starts."""
    began = time.monotonic()
    run_folder = settings.data.absolute() / "run"
    run_folder.mkdir(parents=True, exist_ok=True)
    with _only_one(run_folder / "up.lock"):
        _check_ports(settings)
        _check_model(settings.model)
        configuration = run_folder / "supervisord.conf"
        configuration.write_text(supervisord_conf(config), encoding="utf-8")
        logs = [LogTail(name, run_folder / f"{name}.log") for name in (*PROGRAMS, "supervisord")]
        stopping = _Stop()
        with stopping.on_signals(), _supervisord(configuration, environment) as supervisor:
            return _watch(supervisor, logs, _Readiness(settings, began), stopping)


# ---------------------------------------------------------------- before


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Holds the data folder. Raises UserError with the process that does, if another does."""
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f"{lock.parent.parent} is in use by another `rankloop up` "
                f"(process {file.read().strip()}); stop that one, or choose another with --data"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _check_ports(settings: Settings) -> None:
    for name, host, port in (
        ("server", settings.server.host, settings.server.port),
        ("ui", settings.ui.host, settings.ui.port),
    ):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise UserError(
                    f"cannot listen on {host} port {port}: {error.strerror}; "
                    f"stop what listens there, or choose another with --{name}.port {port + 1}"
                ) from None


def _check_model(model: str) -> None:
    """Finds the model before three processes each fail to. A hub id is fetched here, once.

    Raises UserError; whether the model's architecture can be served is for the server to say.
    """
    if model == "builtin" or (Path(model) / "config.json").exists():
        return
    # Imports transformers, so only for a model that has to be looked for.
    from policy.source import resolve

    try:
        resolve(model)
    except (OSError, ValueError) as error:
        raise UserError(f"--model {model}: {error}") from None


# ---------------------------------------------------------------- supervisord


def supervisord_conf(config: Path | None) -> str:
    """The three programs in one group, so that a stop reaches all of them at once.

    Settings ride in the environment; only the configuration file's path is on the command line.
    Folders are given as the working directory and in the environment: a `%` or ` ;` in a path would
    mean something to this format.
    """
    extra = ("--config", str(config.absolute())) if config else ()
    sections = [
        f"""
[supervisord]
nodaemon=true
silent=true
logfile=supervisord.log
logfile_maxbytes=1MB
logfile_backups=1
pidfile=supervisord.pid

[group:rankloop]
programs={",".join(PROGRAMS)}
"""
    ]
    for name in PROGRAMS:
        command = " ".join(
            _quoted(word) for word in (sys.executable, "-m", "rankloop", name, *extra)
        )
        sections.append(f"""
[program:{name}]
command={command}
directory=%(ENV_{STARTED_IN})s
autorestart=true
startsecs={START_SECONDS}
startretries=1000
stopsignal=TERM
stopwaitsecs={STOP_SECONDS}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
""")
    return "".join(sections)


def _quoted(word: str) -> str:
    return '"' + word.replace("%", "%%").replace('"', r"\"") + '"'


@contextmanager
def _supervisord(
    configuration: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """In a session of its own: a Ctrl-C in the terminal reaches `up`, which passes it on once."""
    command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration)]
    supervisor = subprocess.Popen(
        command,
        cwd=configuration.parent,
        env={**environment, STARTED_IN: str(Path.cwd())},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    try:
        yield supervisor
    finally:
        supervisor.terminate()
        supervisor.wait()


def die_with_parent() -> None:
    """SIGTERM for this process when its parent is gone, even by kill -9. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


# ---------------------------------------------------------------- while it runs


@dataclass
class LogTail:
    """What a process writes from now on; follows the file when it is rotated."""

    name: str
    path: Path
    _inode: int = 0
    _offset: int = 0
    _rest: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if self.path.exists():
            stat = self.path.stat()
            self._inode, self._offset = stat.st_ino, stat.st_size

    def lines(self) -> list[str]:
        """Whole new lines, without their ends."""
        try:
            with self.path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                if inode != self._inode:
                    self._inode, self._offset = inode, 0
                file.seek(self._offset)
                fresh = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(fresh)
        *whole, self._rest = (self._rest + fresh).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]


@dataclass
class _Readiness:
    """Asks both addresses until each has answered once, and then says so."""

    settings: Settings
    began: float
    announced: bool = False

    def poll(self) -> None:
        if self.announced:
            return
        api = self.settings.api_url
        page = self.settings.own_page_url
        if self._answers(f"{api}/readyz") and self._answers(page):
            self.announced = True
            took = time.monotonic() - self.began
            news = f"\nRankloop is up after {took:.1f} s.\n  chat  {page}\n  API   {api}/v1\n"
            _tell(self.settings.log.format, news)

    def _answers(self, url: str) -> bool:
        import httpx

        try:
            return self._client.get(url).is_success
        except httpx.TransportError:
            return False

    @cached_property
    def _client(self) -> httpx.Client:
        """One for all: each reads the certificates anew, a tenth of a core at this rate."""
        import httpx

        return httpx.Client(timeout=1, trust_env=False, follow_redirects=True)


def _watch(
    supervisor: subprocess.Popen[bytes], logs: list[LogTail], readiness: _Readiness, stopping: _Stop
) -> int:
    """Streams logs until a signal, or until a process needs its user. Returns the exit status."""
    status, log_format = 0, readiness.settings.log.format
    while supervisor.poll() is None and not stopping.asked:
        if _stream(logs, log_format) and not readiness.announced:
            status = USER_ERROR_STATUS
            break
        readiness.poll()
        time.sleep(POLL_SECONDS)
    if supervisor.poll() is not None:
        return supervisor.returncode or 1
    _tell(log_format, "stopping")
    supervisor.terminate()
    supervisor.wait()
    _stream(logs, log_format)
    return status


def _stream(logs: list[LogTail], log_format: Format) -> bool:
    """Prints what is new; true where a process ended with the status for its user's mistakes."""
    asked = False
    for log in logs:
        for line in log.lines():
            if log.name != "supervisord":
                _print(log_format, log.name, line)
                continue
            event = _event(line)
            if event:
                _print(log_format, "up", event)
            asked |= f"exit status {USER_ERROR_STATUS};" in line
    return asked


def _print(log_format: Format, process: str, line: str) -> None:
    typer.echo(
        f"{process:<{WIDTH}} | {line}" if log_format == "plain" else collected(process, line)
    )


def _tell(log_format: Format, news: str) -> None:
    """What this process itself has to say; on one line where lines are for programs."""
    typer.echo(news if log_format == "plain" else collected("up", " ".join(news.split())))


def _event(line: str) -> str | None:
    """What of supervisord's log concerns a person: a start, an end, a giving up."""
    found = re.search(r"(?:INFO|WARN) ((?:spawned|exited|gave up|stopped|killing).*)", line)
    return found[1] if found else None


class _Stop:
    """Set by SIGTERM, SIGINT or SIGHUP; further signals while stopping change nothing."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        def handler(_number: int, _frame: FrameType | None) -> None:
            self.asked = True

        signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {
            number: signal.signal(number, handler) for number in signals
        }
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)
