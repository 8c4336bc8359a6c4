"""The folder of a round that runs: what it has come to, in case it is interrupted.

    <data>/rounds/7/round.json    what the rest belongs to: settings, start, rankings
                    judges/       both reward models, once they are trained
                    step-5/       the policy, its optimiser and all else, as they were after step 5

1. A state is written beside, synced, sealed with its files' sha256 and renamed; then the one before
   is removed. safetensors would load a flipped bit without a word.
2. What is damaged, or belongs to another undertaking, is named in the log and as good as not there.
3. What cannot be saved, because the disk is full, is named in the log: the round goes on without.
4. Tensors are safetensors and values JSON: nothing in it is code.

5. Of several ranks the first writes, whole tensors, and all read: how many there were does not
   show, and a round may go on with another number.

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

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from learner import ranks
from learner.ranks import sharding
from learner.state import State
from policy import durable
from policy.manifest import describe
from rankloop_faults import point

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
        self.found = ranks.first(lambda: self._open(text))

    def _open(self, text: str) -> bool:
        """Whether there is a folder of this very round; else a new one is made."""
        folder = self.folder
        if _text(folder / "round.json") == text:
            for unfinished in folder.glob(f"{durable.BESIDE}*"):
                shutil.rmtree(unfinished)
            return True
        if folder.exists():
            log.warning("%s is not of this round as it is now: the round starts over", folder)
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        durable.write(folder / "round.json", text)
        return False

    def write(self, name: str, state: State) -> bool:
        """Keep a state under this name, in place of any before; whether it could be written."""
        whole = State(sharding.whole(state.tensors), state.values)
        return ranks.first(lambda: self._could_write(name, whole))

    def _could_write(self, name: str, state: State) -> bool:
        try:
            self._write(name, state)
        except (OSError, SafetensorError) as error:
            log.warning("%s/%s is not saved, the round goes on: %s", self.folder, name, error)
            return False
        return True

    def _write(self, name: str, state: State) -> None:
        beside = Path(tempfile.mkdtemp(prefix=f"{durable.BESIDE}{name}-", dir=self.folder))
        try:
            tensors = {key: tensor.contiguous() for key, tensor in state.tensors.items()}
            save_file(tensors, beside / TENSORS)
            (beside / VALUES).write_text(json.dumps(state.values))
            (beside / SEAL).write_text(self._seal(beside))
            for path in (*beside.iterdir(), beside):
                durable.sync(path)
            point("saved.rename")
            shutil.rmtree(self.folder / name, ignore_errors=True)
            beside.rename(self.folder / name)
        finally:
            shutil.rmtree(beside, ignore_errors=True)  # nothing is there unless something failed
        durable.sync(self.folder)
        point("saved.renamed")

    def read(self, name: str) -> State | None:
        """The state of this name; None, with a line in the log if it is damaged, for none."""
        folder = self.folder / name
        if not ranks.first(lambda: self._is_whole(folder)):
            return None
        return State(load_file(folder / TENSORS), json.loads((folder / VALUES).read_text()))

    def _is_whole(self, folder: Path) -> bool:
        if not folder.is_dir():
            return False
        whole = all((folder / file).is_file() for file in (TENSORS, VALUES))
        if not whole or _text(folder / SEAL) != self._seal(folder):
            log.warning("%s is damaged or of another round: it is not used", folder)
            return False
        return True

    def write_step(self, step: int, state: State) -> None:
        """Keep the state after this step; once it is whole, those of other steps go."""
        if self.write(f"step-{step}", state):
            ranks.first(lambda: self._forget_others(step))

    def _forget_others(self, step: int) -> None:
        for other in set(self._steps()) - {step}:
            shutil.rmtree(self.folder / f"step-{other}")

    def last_step(self) -> tuple[int, State] | None:
        """The last step of which there is a whole state, and that."""
        for step in ranks.first(lambda: sorted(self._steps(), reverse=True)):
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
