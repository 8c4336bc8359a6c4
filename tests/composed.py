"""The services of compose.yaml as processes of this machine: what a container engine would start,
where there is none. The file itself is read, so that it is what is tried.

Names of services become ports of this machine, the database a real PostgreSQL, and volumes folders.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.product import free_ports
from benchmarks.spread import caddy

ROOT = Path(__file__).parent.parent
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
PORTS = ("server-1:8000", "server-2:8000", "ui:7860", "proxy:8000", "proxy:7860")


def services(values: Mapping[str, str]) -> dict[str, Any]:
    """compose.yaml's services with these variables filled in; raises KeyError for one that the file
    demands.
    """

    def filled(match: re.Match[str]) -> str:
        name, kind, text = match.groups()
        if values.get(name):
            return values[name]
        if kind == "?":
            raise KeyError(name)
        return text or ""

    file = yaml.safe_load(VARIABLE.sub(filled, (ROOT / "compose.yaml").read_text()))
    found: dict[str, Any] = file["services"]
    return found


@dataclass
class Composed:
    """The topology: started and killed by the names of its services."""

    folder: Path
    database: str
    values: Mapping[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        api, page = (f"http://127.0.0.1:{self.ports[name]}" for name in PORTS[-2:])
        addresses = {"RANKLOOP_API_ADDRESS": api, "RANKLOOP_PAGE_ADDRESS": page}
        self.api, self.page = api, page
        self.services = services({**self.values, **addresses})

    def start(self, name: str) -> None:
        """One service, with its command and its environment."""
        service = self.services[name]
        command = [self._here(name, part) for part in service["command"]]
        programs = {"rankloop": [sys.executable, "-m", "rankloop"], "caddy": [caddy()]}
        program = programs[command[0]]
        variables = {key: str(value or "") for key, value in service["environment"].items()}
        given = {key: self._here(name, value) for key, value in variables.items()}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RANKLOOP_")}
        environment = {**inherited, "RANKLOOP_DATA": str(self.folder / "data"), **given}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*program, *command[1:]],
                cwd=self.folder,
                env={**environment, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _here(self, name: str, value: str) -> str:
        """A word of the file as it is on this machine."""
        for volume in self.services[name].get("volumes", ()):
            source, target = volume.split(":")[:2]
            if source.startswith("./"):
                value = value.replace(target, str(ROOT / source))
        for address, port in self.ports.items():
            value = value.replace(address, f"127.0.0.1:{port}")
        own = next((p for at, p in self.ports.items() if at == f"{name}:{value}"), None)
        value = re.sub(r"^postgresql://.*@database/rankloop$", self.database, value)
        return str(own) if own is not None else value.replace("0.0.0.0", "127.0.0.1")

    def kill(self, name: str) -> None:
        """At once, with the processes that it started."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    @property
    def ended(self) -> list[str]:
        """Services that were started and run no more."""
        return [name for name, process in self.running.items() if process.poll() is not None]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")


@contextmanager
def composed(folder: Path, database: str, **values: str) -> Iterator[Composed]:
    """All services but the database's and those of profiles, in the file's order."""
    topology = Composed(folder, database, values)
    try:
        for name, service in topology.services.items():
            if name != "database" and not service.get("profiles"):
                topology.start(name)
        yield topology
    finally:
        for name in list(topology.running):
            topology.kill(name)
