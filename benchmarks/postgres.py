"""A real PostgreSQL of one's own, in a temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class PostgresServer:
    """Reached by a socket in its folder; it refuses to run as root."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.folder, self._user)

    def start(self) -> None:
        """Make a cluster and serve it. Raises CalledProcessError."""
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "rankloop", "-N", "-E", "UTF8")
        self.serve()

    def serve(self) -> None:
        """The cluster that is there. Raises CalledProcessError."""
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c autovacuum=off"
        self._run("pg_ctl", "-D", "data", "-l", "log", "-o", options, "-w", "start")

    def stop(self) -> None:
        """At once, with the folder."""
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        """The address of its one database."""
        return f"postgresql+psycopg://rankloop@/postgres?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        subprocess.run(
            command, cwd=self.folder, user=self._user, check=True, stdout=subprocess.DEVNULL
        )


def binaries() -> Path | None:
    """The folder of initdb; None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return Path(found).parent if found else (debian[-1] if debian else None)
