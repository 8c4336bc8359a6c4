"""The benchmark on people's feedback, on made-up files of the same form."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.area import area, auc
from benchmarks.bag_of_words import BagOfWords
from benchmarks.real_data import (
    Judgement,
    NoDataError,
    coffee_dialogs,
    coffee_judgements,
    held_out,
    ranked_replies,
)
from policy.chat import Message

DRINKS = "latte mocha espresso tea cocoa water".split()


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    packed = gzip.compress("\n".join(map(json.dumps, rows)).encode())
    (folder / f"{name}.jsonl.gz").write_bytes(packed)


def judged(text: str, reply: dict[str, Any], reward: float) -> dict[str, Any]:
    context = [{"role": "agent", "text": "Welcome!"}, {"role": "user", "text": text}]
    return {"id": text, "context": context, "generation": reply, "reward": reward}


def chat(*turns: str) -> list[dict[str, str]]:
    roles = ("user", "assistant") * len(turns)
    return [{"role": role, "content": turn} for role, turn in zip(roles, turns, strict=False)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four files, a few rows each."""
    made = tmp_path_factory.mktemp("data")
    asked = [f"One {drink} for {number}." for drink in DRINKS for number in range(5)]
    write(
        made, "demo_tm4_coffee", [{"id": t, "messages": chat(t, "Anything else?")} for t in asked]
    )
    call = {"role": "agent", "api": {"add": {"item": "latte-1", "sizes": ["small", "large"]}}}
    turns = [judged(t, {"role": "agent", "text": "Sure."}, 1.0) for t in asked]
    write(made, "reward_tm4_coffee", turns + [judged(t, call, 0.0) for t in asked[::2]])
    for name in ("pref_oasst_rankings", "pref_pandalm_human"):
        rows = [
            {"messages": chat(t), "responses": ["Yes.", "No, never."], "ranks": [0, 1]}
            for t in asked[::3]
        ]
        write(made, name, rows)
    return made


def test_an_order_is_a_chat(tmp_path: Path) -> None:
    """The greeting is dropped, the API speaks as the user where it was last, and what it says is
    text; asked is what a person said last.
    """
    context = [
        {"role": "agent", "text": "Welcome!"},
        {"role": "user", "text": "Tea."},
        {"role": "user", "text": "Hot."},
        {"role": "agent", "api": {"hours": {}}},
        {"role": "api", "response": {"hours": "8 to 5"}},
        {"role": "agent", "api": {"find": {"query": "tea"}}},
        {"role": "api", "response": {"find": {"items": [{"id": "t1"}, {"id": "t2"}]}}},
    ]
    reply = {"role": "agent", "text": "Which one?"}
    rows = [
        {"id": "1", "context": context, "generation": reply, "reward": 0.0},
        {"id": "2", "context": [], "generation": reply, "reward": 1.0},
    ]
    write(tmp_path, "reward_tm4_coffee", rows)
    assert coffee_judgements(tmp_path) == [
        Judgement(
            (
                Message("user", "Tea.\nHot."),
                Message("assistant", "hours\nfind query tea"),
                Message("user", "find items id t1, id t2"),
            ),
            "Which one?",
            good=False,
            asked="Hot.",
            key=json.dumps(context),
        )
    ]


def test_dialogs_and_rankings_are_read(folder: Path) -> None:
    """Ranks begin at 1, as everywhere here."""
    assert [turn.role for turn in coffee_dialogs(folder)[0]] == ["user", "assistant"]
    assert ranked_replies(folder, "pandalm")[0].ranks == (1, 2)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """And the folder that it was looked for in."""
    with pytest.raises(NoDataError, match=r"demo_tm4_coffee\.jsonl\.gz in "):
        coffee_dialogs(tmp_path)


def test_the_area_counts_pairs() -> None:
    """Good at 3 and 1, bad at 2 and 1: of four pairs two are won, one is lost and one tied."""
    scores, good = [3.0, 1.0, 2.0, 1.0], [True, True, False, False]
    assert auc(scores, good) == 2.5 / 4


def test_the_interval_is_over_contexts() -> None:
    """Two hundred copies in two contexts are two observations: it holds one half and one."""
    scores = [2.0, 1.0] * 100 + [1.0, 2.0] * 100
    good = [True, False] * 200
    found = area(scores, good, ["a"] * 200 + ["b"] * 200)
    assert (found.auc, found.low, found.high) == (0.5, 0.0, 1.0)


def test_a_bag_of_words_learns_a_word() -> None:
    """'No' in a reply is bad; a word that it never saw says nothing."""
    made = [
        Judgement((Message("user", drink),), reply, reply != "No.", drink, drink)
        for drink in DRINKS
        for reply in ("Yes.", "No.")
    ]
    bag = BagOfWords.fit(made)
    yes, no, new = bag.scores([made[0], made[1], Judgement((), "Beer", True, "Beer", "")])
    assert yes > 1 > -1 > no
    assert new == pytest.approx(bag.bias.item(), abs=1e-6)


def test_a_split_holds_out_its_share() -> None:
    """A fifth of a thousand keys, within four standard errors (13 each); another one in another."""
    sides = [[held_out(str(key), split) for key in range(1000)] for split in (0, 1)]
    assert abs(sum(sides[0]) - 200) < 52
    assert sides[0] != sides[1]


def test_it_runs_from_end_to_end(folder: Path, tmp_path: Path) -> None:
    """All parts in short: the last line is one object, with every stage's figures."""
    command = [sys.executable, "-m", "benchmarks.real_feedback", "--quick"]
    done = subprocess.run(
        [*command, "--data", folder, "--out", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["fine_tuning"]["perplexity_after"] < found["fine_tuning"]["perplexity_before"]
    assert 0 <= found["judging_1"]["model"]["auc"] <= 1
    assert found["judging_1"]["bag"]["auc"] > 0.9  # one word tells good from bad
    assert len(found["improvement"]["examples"]) == 2
    assert found["pandalm"]["longer"]["accuracy"] == 0.0  # the shorter reply is always better
    assert "| mean |" in (tmp_path / "report.md").read_text()
