"""`rankloop rewards score`: JSON lines in, scores out, by a reward model of the data folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rankloop
from learner.batching import Group
from learner.reward_model import RewardModel
from learner.score_lines import CannotScore, Line, read
from policy.chat import Message
from policy.source import load_chat
from policy.versions import Versions
from tests.tiny_models import make_tiny

ASKED = [{"role": "user", "content": "Hello!"}]
ANSWERED = [*ASKED, {"role": "assistant", "content": "Fine."}]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two reward models, r1 and r2."""
    folder = tmp_path_factory.mktemp("scored")
    versions = Versions(folder / "data" / "versions")
    versions.install_base(str(make_tiny(folder / "model")))
    for seed, id in enumerate(("r1", "r2")):
        model = RewardModel.start(folder / "model", seed)
        versions.publish(id, model.save, kind="reward", parent="v0", round=None)
    return folder / "data"


def score(data: Path, tmp_path: Path, *rows: object, **options: str) -> list[dict[str, Any]]:
    """What the command writes for these lines."""
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    out = tmp_path / "out.jsonl"
    arguments = ["rewards", "score", str(tmp_path / "in.jsonl"), "--data", str(data)]
    with pytest.raises(SystemExit) as ended:
        rankloop.main([*arguments, "--out", str(out), *flags])
    assert ended.value.code == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_an_answer_scores_what_the_model_says_of_its_tokens(data: Path, tmp_path: Path) -> None:
    """By the newest reward model, read and asked by hand."""
    versions = Versions(data / "versions")
    chat = load_chat(versions.folder("v0"))
    prompt = tuple(chat.encode([Message("user", "Hello!")]))
    group = Group(prompt, (tuple(chat.encode_reply("Fine.")), tuple(chat.encode_reply("No."))))
    [[fine, no]] = RewardModel.load(versions.folder("r2")).score([group])
    single, several = score(
        data,
        tmp_path,
        {"messages": ASKED, "response": "Fine."},
        {"messages": ASKED, "responses": ["Fine.", "No."]},
    )
    assert single == {
        "line": 1, "reward": "r2",
        "score": pytest.approx(fine, abs=1e-5), "parts": {"ranking": single["score"]},
    }  # fmt: skip
    assert several["scores"] == pytest.approx([fine, no], abs=1e-5)


def test_the_last_assistant_turn_is_what_is_scored(data: Path, tmp_path: Path) -> None:
    """Where no response stands beside; by the reward model that is named."""
    turn, beside = score(
        data,
        tmp_path,
        {"messages": ANSWERED},
        {"messages": ASKED, "response": "Fine."},
        reward="r1",
    )
    assert turn["reward"] == "r1"
    assert turn["score"] == pytest.approx(beside["score"], abs=1e-5)


def test_a_list_stays_a_list() -> None:
    """One response in a list is no single one, and lines keep their numbers."""
    line = read(7, json.dumps({"messages": ASKED, "responses": ["Fine."]}))
    assert line == Line(7, (Message("user", "Hello!"),), ("Fine.",), False)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "line 3 is not JSON"),
        ("[]", "line 3 is no object"),
        ('{"response": "x"}', "line 3: messages must be a list that is not empty, not None"),
        ('{"messages": [{"role": "user"}]}', "line 3: a message has a role and a content"),
        (json.dumps({"messages": ASKED}), "line 3 has nothing to score: add a response"),
        (json.dumps({"messages": ASKED, "response": 4}), "a response must be a text, not 4"),
        (json.dumps({"messages": ASKED, "response": "", "responses": []}), "leave one out"),
    ],
)
def test_a_line_that_cannot_be_scored_is_named(row: str, said: str) -> None:
    """Its number, what is wrong with it, and what to write instead."""
    with pytest.raises(CannotScore) as error:
        read(3, row)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("row", "flags", "said"),
    [
        ({"messages": [], "response": "x"}, [], "line 1: messages must be"),
        ({"messages": ASKED, "response": "so " * 300}, [], "line 1 has 9"),
        ({"messages": [{"role": "tool", "content": "x"}], "response": "x"}, [], "'tool'"),
        ({"messages": ANSWERED}, ["--reward", "r9"], "no reward model 'r9' in"),
        ({"messages": ANSWERED}, ["--data", "/nowhere"], "no reward model in /nowhere/versions"),
    ],
)
def test_the_command_ends_with_one_line_and_2(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    row: object,
    flags: list[str],
    said: str,
) -> None:
    """The file, the line, the value; nothing is scored."""
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps(row))
    with pytest.raises(SystemExit) as ended:
        rankloop.main(["rewards", "score", str(file), f"--data={data}", *flags])
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert f"rankloop: {file}: " in told.err
    assert said in told.err
