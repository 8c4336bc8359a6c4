"""`python -m tests.security`: each sentence, what shows it, and whether it does.

A row has passed only if everything that shows it ran and passed: what was skipped, could not be
reached or is not there has not.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import pytest
import typer

from tests.security import audit, locked
from tests.security.sentences import SENTENCES

PASSED = "passed"
QUIETLY = ["-q", "--no-header", "-p", "no:cacheprovider"]
# What this module has imported is not to be imported anew for pytest's sake.
QUIETLY += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
BESIDE = {
    "pip-audit is clean.": audit.found,
    "The product runs as another user, on a read-only root, without a shell.": locked.found,
}
"""What no test of the suite can show; each gives what is wrong, or None."""


class Outcomes:
    """A pytest plugin that keeps what became of each test, parametrised ones together."""

    def __init__(self) -> None:
        self.by_test: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self.by_test[report.nodeid.partition("[")[0]].append(report.outcome)

    def of(self, test: str) -> str:
        """`passed`, or what else; one that did not run says so."""
        outcomes = self.by_test[test] or ["did not run"]
        return next((other for other in outcomes if other != PASSED), PASSED)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.security", description=__doc__)
    parser.add_argument("--rows", default="", help="only those whose sentence has this pattern")
    asked = parser.parse_args()
    chosen = {
        sentence: tests for sentence, tests in SENTENCES.items() if re.search(asked.rows, sentence)
    }
    outcomes = run(chain.from_iterable(chosen.values()))
    found = [*judged(chosen, outcomes), *beside(asked.rows)]
    typer.echo("| sentence | shown by | result |\n|---|---|---|")
    for row in found:
        typer.echo(f"| {' | '.join(row)} |")
    failed = sum(result != PASSED for *_, result in found)
    typer.echo(f"\n{len(found)} rows, {failed} failed")
    return 1 if failed else 0


def run(tests: Iterable[str]) -> Outcomes:
    """Each once; whatever pytest says itself goes before the table."""
    outcomes, wanted = Outcomes(), list(dict.fromkeys(tests))
    if wanted:
        pytest.main([*QUIETLY, *wanted], plugins=[outcomes])
    return outcomes


def judged(
    chosen: Mapping[str, Iterable[str]], outcomes: Outcomes
) -> Iterator[tuple[str, str, str]]:
    """Sentence, tests and result."""
    for sentence, tests in chosen.items():
        names = [test.rpartition("::")[2] for test in tests]
        wrong = [
            f"{name} {outcome}"
            for name, test in zip(names, tests, strict=True)
            if (outcome := outcomes.of(test)) != PASSED
        ]
        result = "; ".join(wrong) or (PASSED if names else "no test shows it")
        yield sentence, ", ".join(names) or "-", result


def beside(pattern: str) -> Iterator[tuple[str, str, str]]:
    """What is shown by more than a test."""
    for sentence, check in BESIDE.items():
        if re.search(pattern, sentence):
            yield sentence, check.__module__, check() or PASSED


if __name__ == "__main__":
    sys.exit(main())
