"""What the image is made to be: nobody special in it, nothing that a shell starts, nothing to write
to but its data. `make security` runs the product under the same terms.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
LINES = [line.strip() for line in TEXT.splitlines() if line and not line.startswith("#")]
STARTED = ("CMD", "ENTRYPOINT", "HEALTHCHECK")


def instructions(*names: str) -> list[str]:
    """What follows these words, in order."""
    found = (line.partition(" ") for line in LINES)
    return [rest.strip() for name, _, rest in found if name in names]


def built() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml that run the image which is built here."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    image = {service.get("image") for service in services.values() if "build" in service} - {None}
    return {
        name: service
        for name, service in services.items()
        if "build" in service or service.get("image") in image
    }


def test_the_image_runs_as_nobody_special() -> None:
    """The last word on who it is names a user, and no service takes it back."""
    assert instructions("USER")[-1] not in ("root", "0", "0:0")
    assert LINES.index(f"USER {instructions('USER')[-1]}") < min(
        LINES.index(line) for line in LINES if line.startswith(STARTED)
    )
    assert [name for name, service in built().items() if "user" in service] == []


def test_nothing_of_the_image_is_started_by_a_shell() -> None:
    """What it runs is a list of words, which a shell would have no part in."""
    for command in instructions(*STARTED):
        words = json.loads(re.search(r"\[.*\]", command)[0])  # type: ignore[index]
        assert words[0] not in ("sh", "bash", "/bin/sh", "/bin/bash"), command


def test_compose_gives_it_a_read_only_root() -> None:
    """With /tmp in memory, no capabilities and no way to more of them."""
    assert built()
    for name, service in built().items():
        assert service.get("read_only") is True, name
        assert any(str(entry).startswith("/tmp") for entry in service["tmpfs"]), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_no_secret_is_built_into_the_image() -> None:
    """Neither as a variable nor as a file: they come when it is started."""
    assert not re.search(r"KEY|SECRET|PASSWORD|TOKEN", " ".join(instructions("ENV", "ARG")))
    copied = {word for line in instructions("COPY", "ADD") for word in line.split()[:-1]}
    assert not copied & {".", "./", "*"}
    assert not [name for name in copied if re.search(r"\.env|secret|key|data$", name)]
