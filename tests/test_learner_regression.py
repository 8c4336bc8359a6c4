"""Regression sets, and v0's score on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from learner.regression import Baseline, ExpectedWords
from policy.model import Model


@dataclass(frozen=True)
class Counted:
    """A set that says how often it was scored."""

    name: str
    calls: list[str]
    what: str = "calls"

    def score(self, model: Model) -> float:
        self.calls.append(self.name)
        return float(len(self.calls))


def test_an_equal_set_is_scored_once() -> None:
    """v0 does not change; another set has a score of its own."""
    baseline, calls, base = Baseline(), list[str](), cast("Model", None)
    assert baseline.score(Counted("gate", calls), base, "v0") == 1.0
    assert baseline.score(Counted("watch", calls), base, "v0") == 2.0
    calls_before = list(calls)
    assert baseline.score(Counted("gate", calls), base, "v0") == 1.0
    assert calls == calls_before


def test_another_version_has_a_score_of_its_own() -> None:
    """The same set is scored again where what rounds are held near was fine-tuned."""
    baseline, calls, base = Baseline(), list[str](), cast("Model", None)
    assert baseline.score(Counted("gate", calls), base, "v0") == 1.0
    assert baseline.score(Counted("gate", calls), base, "v3") == 2.0


@pytest.mark.parametrize("line", ["{}", "no json", '{"messages": [{"role": "user"}]}'])
def test_a_file_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    """The second line is the bad one."""
    file = tmp_path / "expected.jsonl"
    good = '{"messages": [{"role": "user", "content": "1 + 1"}], "expect": ["2"]}'
    file.write_text(f"{good}\n{line}\n")
    with pytest.raises(ValueError, match=r"expected\.jsonl, line 2"):
        ExpectedWords.read(file, 10)
