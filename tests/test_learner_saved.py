"""The folder of a running round: what is whole is read as it was written, and nothing else is."""

from __future__ import annotations

import json
import logging
import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import rankloop_faults
from learner.saved import Saved
from learner.state import State, draws_of, put_draws

BELONGS = {"settings": "digest", "rankings": [1, 2, 3]}


def made(number: float = 0.1) -> State:
    """A state of two parts."""
    return State.of(
        weights=State({"head.weight": torch.full((2, 3), number)}),
        rest=State(values={"coef": number, "scores": [math.inf, 1e-320]}),
    )


def same(one: State, other: State) -> bool:
    assert one.tensors.keys() == other.tensors.keys()
    equal = all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
    return equal and one.values == other.values


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    """By another process's object for the same round; parts are told apart by name."""
    first = Saved(tmp_path / "7", BELONGS)
    first.write("judges", made())
    again = Saved(tmp_path / "7", BELONGS)
    found = again.read("judges")
    assert (first.found, again.found) == (False, True)
    assert found is not None
    assert same(found, made())
    assert found.part("rest").values["scores"] == [math.inf, 1e-320]
    assert found.part("rest").tensors == {}


def test_the_last_step_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """Steps are numbers: 10 comes after 9. What is not a step stays."""
    saved = Saved(tmp_path / "7", BELONGS)
    saved.write("judges", made())
    assert saved.last_step() is None
    for step in (9, 10):
        saved.write_step(step, made(step))
    assert sorted(path.name for path in saved.folder.iterdir()) == [
        "judges",
        "round.json",
        "step-10",
    ]
    last = saved.last_step()
    assert last is not None
    assert last[0] == 10
    assert same(last[1], made(10))


def test_a_step_is_written_again(tmp_path: Path) -> None:
    """The later state of one name counts."""
    saved = Saved(tmp_path / "7", BELONGS)
    saved.write_step(1, made(1))
    saved.write_step(1, made(2))
    last = saved.last_step()
    assert last is not None
    assert same(last[1], made(2))


def test_a_killed_write_leaves_the_step_before(tmp_path: Path) -> None:
    """What was still beside is removed by whoever opens the folder next."""
    saved = Saved(tmp_path / "7", BELONGS)
    saved.write_step(1, made())
    beside = saved.folder / ".tmp-step-2-x"
    beside.mkdir()
    (beside / "tensors.safetensors").write_bytes(b"half")
    again = Saved(tmp_path / "7", BELONGS)
    last = again.last_step()
    assert last is not None
    assert last[0] == 1
    assert not beside.exists()


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def flip(file: Path) -> None:
    """The last bit: of a tensor's last number, of a closing brace."""
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("harm", [truncate, flip, empty, Path.unlink])
@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json", "seal.json"])
def test_what_is_damaged_is_named_and_not_used(
    tmp_path: Path, file: str, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Cut short, one bit flipped, emptied or gone, whichever of the three files it is."""
    saved = Saved(tmp_path / "7", BELONGS)
    saved.write_step(3, made())
    harm(saved.folder / "step-3" / file)
    with caplog.at_level(logging.WARNING):
        assert saved.last_step() is None
    assert "step-3 is damaged or of another round: it is not used" in caplog.text


def test_a_state_of_another_round_is_not_used(tmp_path: Path) -> None:
    """Whole as it is: it was sealed for other rankings."""
    other = Saved(tmp_path / "6", BELONGS | {"rankings": [1, 2]})
    other.write_step(3, made())
    saved = Saved(tmp_path / "7", BELONGS)
    (other.folder / "step-3").rename(saved.folder / "step-3")
    assert saved.last_step() is None


def test_other_settings_start_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of what was there is left, and the log says so."""
    Saved(tmp_path / "7", BELONGS).write_step(3, made())
    changed = Saved(tmp_path / "7", BELONGS | {"settings": "another"})
    assert not changed.found
    assert changed.last_step() is None
    assert "7 is not of this round as it is now: the round starts over" in caplog.text
    assert json.loads((tmp_path / "7" / "round.json").read_text())["settings"] == "another"


def test_a_generator_goes_on_where_it_stood() -> None:
    """Through JSON, with a Gaussian draw in hand: it makes them in pairs."""
    rng = random.Random(1)
    rng.gauss(0, 1)
    kept = json.loads(json.dumps(draws_of(rng)))
    expected = [rng.gauss(0, 1), rng.random()]
    other = random.Random(2)
    put_draws(other, kept)
    assert [other.gauss(0, 1), other.random()] == expected


def test_a_full_disk_keeps_the_state_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Step 10 does not fit: 9 stays, nothing else lies there, and the log says so."""
    saved = Saved(tmp_path / "7", BELONGS)
    saved.write_step(9, made(9))
    monkeypatch.setattr(rankloop_faults, "_passed", Counter())
    monkeypatch.setenv(rankloop_faults.FAULT_AT, "saved.rename:full")
    saved.write_step(10, made(10))
    assert sorted(path.name for path in saved.folder.iterdir()) == ["round.json", "step-9"]
    assert "step-10 is not saved, the round goes on: [Errno 28]" in caplog.text
