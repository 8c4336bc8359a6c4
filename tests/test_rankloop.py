"""The command: where settings come from, and three processes that stay up and go down together."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import rankloop
from benchmarks.product import free_ports
from rankloop import UserError, load_settings
from tests.tiny_models import make_tiny

COMMAND = [sys.executable, "-m", "rankloop"]
STOP_SECONDS = 10


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=60,
        check=False,
    )


class TestSettings:
    def test_flags_beat_environment_beats_file(self, tmp_path: Path) -> None:
        """Each source sets one name more than the next: the later source wins where both speak."""
        file = tmp_path / "rankloop.toml"
        file.write_text("[server]\nport = 1001\nrows = 17\n[ui]\nport = 1002\n")
        environment = {"RANKLOOP_SERVER__PORT": "2001", "RANKLOOP_UI__PORT": "2002"}
        settings = load_settings(file, {"server.port": "3001"}, environment)
        assert settings.server.port == 3001
        assert settings.ui.port == 2002
        assert settings.server.rows == 17
        assert settings.model == "builtin"

    def test_names_nest_more_than_once(self) -> None:
        """`learner.ppo.steps` is RANKLOOP_LEARNER__PPO__STEPS."""
        settings = load_settings(None, {}, {"RANKLOOP_LEARNER__PPO__STEPS": "3"})
        assert settings.learner.ppo.steps == 3

    def test_an_empty_variable_is_unset(self) -> None:
        """Compose files leave variables empty; a key of blanks would let everybody in."""
        assert load_settings(None, {}, {"RANKLOOP_KEY": "", "RANKLOOP_MODEL": ""}).key is None
        assert load_settings(None, {}, {"RANKLOOP_KEY": " "}).key is None

    @pytest.mark.parametrize(
        ("flags", "environment", "said"),
        [
            ({"server.prot": "1"}, {}, "--server.prot in flags; did you mean --server.port?"),
            (
                {},
                {"RANKLOOP_LERNER__SCHEDULE": "x"},
                "RANKLOOP_LERNER__SCHEDULE in the environment; "
                "did you mean RANKLOOP_LEARNER__SCHEDULE?",
            ),
            ({}, {"RANKLOOP_ZZZZ": "x"}, "unknown setting RANKLOOP_ZZZZ in the environment"),
        ],
    )
    def test_unknown_names_are_refused_by_name(
        self, flags: dict[str, str], environment: dict[str, str], said: str
    ) -> None:
        """The error names what is unknown as it was written, and the nearest name there is."""
        with pytest.raises(UserError, match=re.escape(said)):
            load_settings(None, flags, environment)

    def test_an_unknown_name_in_the_file_is_refused(self, tmp_path: Path) -> None:
        """The file's path is part of the error."""
        file = tmp_path / "mine.toml"
        file.write_text("[server]\nprot = 1\n")
        with pytest.raises(UserError, match=r"server\.prot in .*mine\.toml; did you mean"):
            load_settings(file, {}, {})

    def test_a_wrong_value_says_where_it_stands(self) -> None:
        """Name, source, reason and value in one line."""
        with pytest.raises(UserError, match=r"RANKLOOP_SERVER__PORT in the environment.*'x'"):
            load_settings(None, {}, {"RANKLOOP_SERVER__PORT": "x"})

    def test_settings_that_do_not_go_together_are_refused(self) -> None:
        """Both are named, with what to do; not all the others of their section."""
        with pytest.raises(UserError) as refused:
            load_settings(None, {"server.pairing": "informative"}, {})
        said = str(refused.value)
        assert "set learner.reward.heads to 8, say (it is 1)" in said
        assert len(said) < 250
        load_settings(None, {"server.pairing": "informative", "learner.reward.heads": "8"}, {})

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            ({"server.max_n": "33"}, "max_n is 33, above rows, which is 32"),
            (
                {"server.tasks.answers": "9", "server.rows": "8", "server.max_n": "8"},
                "answers is 9",
            ),
            (
                {"server.pairing": "informative", "server.tasks.drawn": "32", "server.rows": "16"},
                "drawn is 32",
            ),
            ({"server.pairing": "informative", "server.tasks.drawn": "4"}, "nothing to choose"),
        ],
    )
    def test_more_answers_than_there_are_rows_are_refused(
        self, flags: dict[str, str], said: str
    ) -> None:
        """And a choice of all that are drawn; at the start, not when somebody asks."""
        with pytest.raises(UserError, match=said):
            load_settings(None, {**flags, "learner.reward.heads": "8"}, {})

    def test_the_key_is_not_shown(self) -> None:
        """Neither the settings' text nor a flag that fails beside it holds the key."""
        settings = load_settings(None, {}, {"RANKLOOP_KEY": "s3cret"})
        assert settings.key is not None
        assert settings.key.get_secret_value() == "s3cret"
        assert "s3cret" not in repr(settings)

    def test_every_setting_has_one_name_in_all_sources(self) -> None:
        """A name maps to a variable and back without loss."""
        for name in rankloop.setting_names():
            variable = rankloop.environment_name(name)
            assert variable.removeprefix("RANKLOOP_").lower().replace("__", ".") == name


class TestCommand:
    def test_help_needs_nothing_heavy(self) -> None:
        """`--help` imports neither torch nor gradio nor SQL."""
        code = (
            "import sys, rankloop\n"
            "try: rankloop.main(['--help'])\n"
            "except SystemExit: pass\n"
            "print(sorted({'torch', 'gradio', 'sqlmodel', 'transformers'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"

    @pytest.mark.parametrize("command", ["up", "server", "ui"])
    def test_an_open_door_needs_a_key(self, command: str, tmp_path: Path) -> None:
        """An address that others can reach ends with the line to type."""
        done = run(command, "--host", "0.0.0.0", RANKLOOP_DATA=str(tmp_path), RANKLOOP_KEY="")
        assert done.returncode == 2
        assert f"RANKLOOP_KEY=$(openssl rand -hex 24) rankloop {command} --host" in done.stderr
        assert list(tmp_path.iterdir()) == []

    def test_a_taken_port_is_named(self, tmp_path: Path) -> None:
        """`up` says which port is taken and which flag chooses another."""
        import socket

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = run("up", "--data", str(tmp_path), "--server.port", str(port))
        assert done.returncode == 2
        assert f"port {port}" in done.stderr
        assert "--server.port" in done.stderr

    def test_a_missing_model_is_named(self, tmp_path: Path) -> None:
        """A folder that is not there is refused before anything starts."""
        api, page = free_ports(2)
        model = str(tmp_path / "nowhere")
        done = run(
            "up",
            f"--data={tmp_path}",
            f"--model={model}",
            f"--server.port={api}",
            f"--ui.port={page}",
        )
        assert done.returncode == 2
        assert model in done.stderr

    def test_nothing_running_is_said(self) -> None:
        """`versions list` without a server says whom it asked."""
        (port,) = free_ports(1)
        done = run("versions", "list", "--server.port", str(port))
        assert done.returncode == 2
        assert f"nothing answers at http://127.0.0.1:{port}" in done.stderr


class Up:
    """A running `rankloop up`, its output read by a thread."""

    def __init__(self, data: Path, model: Path) -> None:
        self.api, self.page = free_ports(2)
        self.data = data
        self.flags = [f"--data={data}", f"--model={model}", f"--ui.port={self.page}"]
        self.process = subprocess.Popen(
            [*COMMAND, "up", *self.flags, f"--server.port={self.api}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.lines.extend(output)

    def wait_for(self, pattern: str, count: int = 1, seconds: float = 90) -> list[str]:
        """The groups found, once there are so many lines with the pattern."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = [m[m.lastindex or 0] for line in self.lines if (m := re.search(pattern, line))]
            if len(found) >= count:
                return found
            time.sleep(0.1)
        raise AssertionError(f"{pattern!r} was not said:\n{''.join(self.lines)}")

    def pids(self, name: str) -> list[int]:
        """Of every start of that process so far."""
        return [int(pid) for pid in self.wait_for(rf"spawned: '{name}' with pid (\d+)")]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.api}{path}", timeout=30, trust_env=False)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Seconds from the signal to the end of `up`."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=60)
        took = time.monotonic() - began
        self.reader.join()
        return took


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One run that this module's tests share, in their order; a folder's name may hold anything."""
    folder = tmp_path_factory.mktemp("up 100% ;x")
    running = Up(folder / "data", make_tiny(folder / "model"))
    try:
        running.wait_for(r"Rankloop is up after [\d.]+ s")
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_up_says_where_it_is(up: Up) -> None:
    """Both addresses are printed once both answer."""
    up.wait_for(r"Rankloop is up after [\d.]+ s")
    up.wait_for(rf"chat +http://127\.0\.0\.1:{up.page}")
    up.wait_for(rf"API +http://127\.0\.0\.1:{up.api}/v1")
    assert up.get("/readyz").status_code == 200
    assert httpx.get(f"http://127.0.0.1:{up.page}", trust_env=False).status_code == 200


def test_learner_yields_to_answers(up: Up) -> None:
    """The learner's niceness is 10, the server's 0 above this test's own."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, up.pids("learner")[-1]) == min(own + 10, 19)
    assert os.getpriority(os.PRIO_PROCESS, up.pids("server")[-1]) == own


def test_a_second_up_is_refused(up: Up) -> None:
    """A data folder has one `up`, and the other is named by its process id."""
    done = run("up", *up.flags)
    assert done.returncode == 2
    assert f"is in use by another `rankloop up` (process {up.process.pid})" in done.stderr


def test_a_killed_process_is_restarted_while_the_others_serve(up: Up) -> None:
    """After a kill -9 of the learner the server answers on, and a new learner comes up."""
    server, learner = up.pids("server"), up.pids("learner")
    os.kill(learner[-1], signal.SIGKILL)
    assert up.get("/readyz").status_code == 200
    up.wait_for(r"spawned: 'learner' with pid (\d+)", count=len(learner) + 1)
    assert up.get("/readyz").status_code == 200
    assert up.pids("server") == server


def test_a_killed_server_comes_back(up: Up) -> None:
    """After a kill -9 of the server it is ready again, without anybody's doing."""
    before = up.pids("server")
    os.kill(before[-1], signal.SIGKILL)
    up.wait_for(r"spawned: 'server' with pid (\d+)", count=len(before) + 1)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if up.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError("the server did not come back")


def test_versions_are_listed_from_the_command(up: Up) -> None:
    """`rankloop versions list` shows the running server's live version."""
    done = run("versions", "list", f"--server.port={up.api}")
    assert done.returncode == 0, done.stderr
    assert re.search(r"v0\s+live", done.stdout)


def wait_until_gone(pids: list[int]) -> float:
    """Seconds until none of them lives."""
    began = time.monotonic()
    while any(map(alive, pids)):
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    return time.monotonic() - began


def test_sigterm_leaves_no_process(up: Up) -> None:
    """Ten seconds after SIGTERM nothing that `up` started lives, and it ends with 0."""
    pids = [up.pids(name)[-1] for name in ("server", "learner", "ui")]
    pids.append(int((up.data / "run" / "supervisord.pid").read_text()))
    assert all(map(alive, pids))
    assert up.stop() < STOP_SECONDS
    assert up.process.returncode == 0
    assert not any(map(alive, pids))


def test_not_even_kill_9_leaves_a_process(tmp_path: Path) -> None:
    """Whoever is left without `up` is told, and goes within ten seconds."""
    up = Up(tmp_path / "data", make_tiny(tmp_path / "model"))
    up.wait_for("Rankloop is up")
    pids = [up.pids(name)[-1] for name in ("server", "learner", "ui")]
    pids.append(int((up.data / "run" / "supervisord.pid").read_text()))
    up.stop(signal.SIGKILL)
    assert wait_until_gone(pids) < STOP_SECONDS
