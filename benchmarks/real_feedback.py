"""Does the learner learn from people? Their dialogs, judgements and rankings, read from a folder.

    python -m benchmarks.real_feedback --data FOLDER

1. Coffee orders: the built-in model is fine-tuned on whole dialogs; a reward model on its trunk
   learns which turns people found good, held against a bag of words on the same five splits; PPO
   improves the fine-tuned model against it, measured on contexts that the reward model did not see.
2. Rankings (OpenAssistant) and votes (PandaLM): a reward model on the built-in trunk, cross-
   validated by prompt, held against preferring the longer reply.

What a stage found and trained is kept in the folder `--out`, and a stage that is there is not run
again. Tables are printed at the end, and behind them one line of JSON. Knows no server and no UI.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.coffee_improving import examples_table, improvement, improvement_table
from benchmarks.coffee_judging import judging, splits_table
from benchmarks.coffee_tuning import fine_tuning, fine_tuning_table
from benchmarks.ranked import cross_validated, rankings_table
from benchmarks.real_data import NoDataError
from benchmarks.workshop import QUICK, Effort, Workshop
from learner.parallel import use_threads
from policy.versions import Versions

SPLIT = "judging_{}"


class Part(StrEnum):
    """What can be run by itself."""

    COFFEE = "coffee"
    OASST = "oasst"
    PANDALM = "pandalm"


class Results:
    """What the stages found, in a file that is written after each."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}

    def once(self, stage: str, run: Callable[[], dict[str, Any]]) -> None:
        """Run the stage if it is not there yet."""
        if stage not in self.found:
            self.found[stage] = run()
            self.file.write_text(json.dumps(self.found, indent=1))

    def splits(self) -> list[dict[str, Any]]:
        """Of the judgements, in order."""
        return [self.found[name] for name in sorted(self.found) if name.startswith(SPLIT[:-2])]


def run(shop: Workshop, results: Results, parts: set[Part]) -> None:
    """All stages of these parts, in order."""
    if Part.COFFEE in parts:
        results.once("fine_tuning", partial(fine_tuning, shop))
        for number in range(shop.effort.splits):
            results.once(SPLIT.format(number), partial(judging, shop, number))
        results.once("improvement", partial(improvement, shop))
    for part in (Part.OASST, Part.PANDALM):
        if part in parts:
            results.once(part, partial(cross_validated, shop, part))


def report(results: Results) -> str:
    """All that was found, as Markdown."""
    found, told = results.found, []
    if "fine_tuning" in found:
        told += ["### Fine-tuning", fine_tuning_table(found["fine_tuning"])]
    if results.splits():
        told += ["### Judging turns", splits_table(results.splits())]
    if "improvement" in found:
        improved = found["improvement"]
        told += ["### PPO", improvement_table(improved), examples_table(improved)]
    ranked = [(part.value, found[part]) for part in Part if part in found]
    if ranked:
        told += ["### Rankings", rankings_table(ranked)]
    return "\n\n".join(told)


def main(
    data: Annotated[Path, typer.Option(help="The folder of the data files.")],
    only: Annotated[list[Part] | None, typer.Option(help="One part, or several.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where results and models are kept.")] = None,
    quick: Annotated[bool, typer.Option(help="Whether it works, in a minute.")] = False,
) -> None:
    """Learn from people's dialogs, judgements and rankings, and say how well."""
    folder = out or Path(tempfile.mkdtemp(prefix="real-feedback-"))
    folder.mkdir(parents=True, exist_ok=True)
    use_threads(2)
    versions = Versions(folder / "versions")
    versions.install_base("builtin")
    shop = Workshop(data, versions, QUICK if quick else Effort())
    results = Results(folder / "results.json")
    try:
        run(shop, results, set(only or Part))
    except NoDataError as error:
        sys.exit(str(error))
    text = report(results)
    (folder / "report.md").write_text(text + "\n")
    typer.echo(text)
    typer.echo(json.dumps(results.found))


if __name__ == "__main__":
    typer.run(main)
