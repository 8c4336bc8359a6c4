"""The product as the image runs it: as another user, on a root file system that nobody can write
to, without a shell. What can be written is the data folder, where TMPDIR lies too.

`found` has it run in a mount namespace of its own: `python -m tests.security.locked DATA COMMAND`
shuts the doors behind itself and becomes the command.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.product import free_ports
from tests.server_running import chat_body
from tests.tiny_models import make_tiny

ROOT = Path(__file__).parent.parent.parent
NOBODY = 65534
SHELLS = ("sh", "bash", "dash")
READY_S = 900.0


def found() -> str | None:
    """What does not work there, or why it was not tried; None where all does."""
    if os.geteuid() != 0:
        return "did not run: only root may make a mount namespace"
    with tempfile.TemporaryDirectory(prefix="locked-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        for writable in (data, data / "compiled"):
            writable.mkdir()
            shutil.chown(writable, NOBODY, NOBODY)
        model = make_tiny(Path(folder) / "model")
        for file in model.iterdir():
            file.chmod(0o644)
        return _run(data, model, Path(folder) / "log")


def _run(data: Path, model: Path, log: Path) -> str | None:
    port, page = free_ports(2)
    key = secrets.token_hex(16)
    inside = [sys.executable, "-m", "rankloop", "up", f"--data={data}", f"--model={model}"]
    inside += [f"--server.port={port}", f"--ui.port={page}"]
    command = ["unshare", "--mount", sys.executable, "-m", "tests.security.locked", str(data)]
    written = {"TMPDIR": str(data), "HF_HOME": f"{data}/hub", "NUMBA_CACHE_DIR": f"{data}/compiled"}
    environment = os.environ | written | {"RANKLOOP_KEY": key, "HOME": str(data)}
    with log.open("wb") as file:
        running = subprocess.Popen(
            [*command, *inside], cwd=ROOT, env=environment, stdout=file, stderr=file
        )
    try:
        wrong = _asked(running, f"http://127.0.0.1:{port}", key)
        if wrong is None:
            running.send_signal(signal.SIGTERM)
            status = running.wait(60)
            wrong = None if status == 0 else f"told to stop, it ended with {status}"
    finally:
        running.kill()
        running.wait()
    return wrong and f"{wrong} / {log.read_text(errors='replace')[-600:]}".replace("\n", " / ")


def _asked(running: subprocess.Popen[bytes], url: str, key: str) -> str | None:
    """Ready, with a learner that is heard of, it answers."""
    headers, end = {"authorization": f"Bearer {key}"}, time.monotonic() + READY_S
    with httpx.Client(base_url=url, headers=headers, timeout=60) as http:
        while time.monotonic() < end:
            if running.poll() is not None:
                return f"it ended with {running.returncode}"
            time.sleep(1)
            try:
                ready = http.get("/readyz").is_success
                heard = ready and http.get("/v1/learner").json()["state"] == "idle"
            except httpx.TransportError:
                continue
            if heard:
                answer = http.post("/v1/chat/completions", json=chat_body())
                return None if answer.is_success else f"it answered {answer.text}"
    return f"it was not ready within {READY_S:.0f} s"


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _show_interpreter() -> None:
    """Where it lies in somebody's home, nobody may go through that: here it holds nothing else."""
    prefix = Path(sys.base_prefix)
    hidden = [folder for folder in prefix.parents if not folder.stat().st_mode & 0o001]
    if hidden:
        mount("--bind", str(prefix), "/mnt")
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(hidden[-1]))
        prefix.mkdir(parents=True)
        mount("--bind", "/mnt", str(prefix))
        mount("-o", "remount,bind,ro", str(hidden[-1]))
        mount("-o", "remount,bind,ro", str(prefix))


def _shut(data: str) -> None:
    """Only the data folder can be written, no shell can be started, and this is nobody."""
    _show_interpreter()
    mount("--bind", data, data)
    for shell in {os.path.realpath(path) for path in map(shutil.which, SHELLS) if path}:
        mount("--bind", "/dev/null", shell)
    mount("-o", "remount,bind,ro", "/")
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    assert not any(os.access(shell, os.X_OK) for shell in map(shutil.which, SHELLS) if shell)
    assert not os.access("/tmp", os.W_OK), "the root file system can still be written to"


if __name__ == "__main__":
    _shut(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])
