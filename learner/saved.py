"""The folder of a round that runs: what it has come to, in case it is interrupted.

    <data>/rounds/7/round.json    what the rest belongs to: settings, start, rankings
                    judges/       both reward models, once they are trained
                    step-5/       the policy, its optimiser and all else, as they were after step 5

1. A state is written beside, synced, sealed with its files' sha256 and renamed; then the one before
   is removed. safetensors would load a flipped bit without a word.
2. What is damaged, or belongs to another undertaking, is named in the log and as good as not there.
3. Tensors are safetensors and values JSON: nothing in it is code.

It knows neither what a state is of nor when it is worth saving.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from learner.state import State
from policy import durable
from policy.manifest import describe

TENSORS, VALUES, SEAL = "tensors.safetensors", "state.json", "seal.json"

_STEP = re.compile(r"step-(\d+)")

log = logging.getLogger("rankloop.learner")


class Saved:
    """The states of one round. `found` says whether an interrupted attempt had left this folder."""

    def __init__(self, folder: Path, belongs: Mapping[str, Any]) -> None:
        """`belongs` is what a state must have been made with to be of use, as JSON."""
        self.folder = folder
        text = json.dumps(belongs, indent=2, sort_keys=True)
        self.belongs = hashlib.sha256(text.encode()).hexdigest()
        self.found = _text(folder / "round.json") == text
        if self.found:
            for unfinished in folder.glob(f"{durable.BESIDE}*"):
                shutil.rmtree(unfinished)
            return
        if folder.exists():
            log.warning("%s is not of this round as it is now: the round starts over", folder)
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        durable.write(folder / "round.json", text)

    def write(self, name: str, state: State) -> None:
        """Keep a state under this name, in place of any before."""
        beside = Path(tempfile.mkdtemp(prefix=f"{durable.BESIDE}{name}-", dir=self.folder))
        tensors = {key: tensor.contiguous() for key, tensor in state.tensors.items()}
        save_file(tensors, beside / TENSORS)
        (beside / VALUES).write_text(json.dumps(state.values))
        (beside / SEAL).write_text(self._seal(beside))
        for path in (*beside.iterdir(), beside):
            durable.sync(path)
        shutil.rmtree(self.folder / name, ignore_errors=True)
        beside.rename(self.folder / name)
        durable.sync(self.folder)

    def read(self, name: str) -> State | None:
        """The state of this name; None, with a line in the log if it is damaged, for none."""
        folder = self.folder / name
        if not folder.is_dir():
            return None
        whole = all((folder / file).is_file() for file in (TENSORS, VALUES))
        if not whole or _text(folder / SEAL) != self._seal(folder):
            log.warning("%s is damaged or of another round: it is not used", folder)
            return None
        return State(load_file(folder / TENSORS), json.loads((folder / VALUES).read_text()))

    def write_step(self, step: int, state: State) -> None:
        """Keep the state after this step; those of other steps go."""
        self.write(f"step-{step}", state)
        for other in set(self._steps()) - {step}:
            shutil.rmtree(self.folder / f"step-{other}")

    def last_step(self) -> tuple[int, State] | None:
        """The last step of which there is a whole state, and that."""
        for step in sorted(self._steps(), reverse=True):
            state = self.read(f"step-{step}")
            if state is not None:
                return step, state
        return None

    def _steps(self) -> Iterator[int]:
        names = [_STEP.fullmatch(path.name) for path in self.folder.iterdir()]
        return (int(name[1]) for name in names if name)

    def _seal(self, folder: Path) -> str:
        """What ties these files together, and to the round."""
        files = describe(folder, (TENSORS, VALUES))
        sums = {name: entry.sha256 for name, entry in files.items()}
        return json.dumps({"belongs": self.belongs, "sha256": sums})


def _text(path: Path) -> str | None:
    """None for no such file, or for one that holds no text."""
    try:
        return path.read_text()
    except (OSError, ValueError):
        return None
