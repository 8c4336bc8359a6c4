"""Makes a model v0. The first time this reads the model's shape with torch, which the serving
process does not have: then a process does it that ends, `python -m server.vllm.installing FOLDER
URL MODEL`, the place of versions as it is set (an empty URL is none).

It prints a JSON object with `digest` and `error`, one of them null; what the next try may not find
again ends it with a traceback.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from policy.place import Place
from policy.source import ModelNotFound, UnsupportedModel
from policy.versions import CorruptVersion, WrongModel


class NotInstalled(Exception):
    """The model cannot be v0, now or later; the text says why."""


LASTING = (UnsupportedModel, ModelNotFound, WrongModel, CorruptVersion, NotInstalled)


def install(place: Place, model: str) -> str:
    """The digest of v0, which is this model from now on. Raises one of LASTING, or RuntimeError."""
    try:
        return place.open().install_base(model).digest
    except ImportError:
        return _in_a_process(place, model)


def _in_a_process(place: Place, model: str) -> str:
    command = [sys.executable, "-m", "server.vllm.installing", str(place.folder), place.url or ""]
    done = subprocess.run([*command, model], capture_output=True, text=True, check=False)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(done.stderr.strip()[-2000:]) from None
    if said["error"] is not None:
        raise NotInstalled(said["error"])
    return str(said["digest"])


def main(folder: str, url: str, model: str) -> None:
    digest = error = None
    try:
        digest = Place(Path(folder), url or None).open().install_base(model).digest
    except LASTING as lasting:
        error = str(lasting)
    json.dump({"digest": digest, "error": error}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
