"""Does the loop learn? Simulated people rank by a preference that the product does not know.

    python -m benchmarks.closed_loop --preference FILE.py:function --rankings 200 --seed 0

1. Start `rankloop up` as its user would, in a data folder and on ports of its own.
2. Twenty people ask for four answers each, and rank them; a tenth of the rankings are random. After
   32 they wait for the round that these start. The remainder is trained by POST /v1/rounds.
3. After each round the live version is judged against v0 on held-out prompts: win rate by the
   hidden score, right answers, KL. A bystander asks all the while and must never see a failure.
4. The last line printed is the result, one JSON object; beside it a plot and the whole record.

People and rounds go over HTTP alone. Only the judge reads weights from the data folder: v0's
log-probabilities are not to be had over HTTP. What it asks is never a prompt to learn from.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from benchmarks.best_of import BestOf
from benchmarks.bystander import Bystander
from benchmarks.judge import Effort, Judge, Look, in_parallel
from benchmarks.judgement import WinRate
from benchmarks.people import RANDOM_SHARE, People, load_preference
from benchmarks.product import Product, running
from benchmarks.report import draw, side_by_side
from benchmarks.rescoring import Rescorer
from benchmarks.spread import spread
from benchmarks.turns import Turn, chatting, labelling

BATCH = 32
ROUND_SECONDS = 1800
POLL_SECONDS = 1.0
VERIFIED_ANSWERS = 200
EXAMPLES = 10

# For a look at whether everything works, in about a minute; its figures mean nothing.
QUICK_EFFORT = Effort(untied=10, most_prompts=60, guard=20, best_of=4, block=30)
QUICK_BATCH = 16
QUICK_SETTINGS = {
    "learner.rankings_per_round": str(QUICK_BATCH),
    "learner.reward.epochs": "2",
    "learner.ppo.steps": "2",
    "learner.ppo.prompts_per_step": "8",
    "learner.gate.regression_prompts": "20",
    "learner.gate.win_prompts": "20",
}


@dataclass
class Loop:
    """The run so far."""

    product: Product
    people: People
    judge: Judge
    best_of: BestOf
    batch: int
    turn: Turn
    rounds: list[Mapping[str, Any]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Every batch with its round, and a look at the live version after each."""
        self.base_guard = self.judge.guard("v0")
        self.look_at = Look("v0", WinRate(0, 0, 0), self.base_guard, 0.0, 0, 0.0)
        self._note(0)
        for start in range(0, self.people.rankings, self.batch):
            end = min(start + self.batch, self.people.rankings)
            in_parallel(self.turn, range(start, end))
            if end - start < self.batch:
                self.product.api.post("/v1/rounds", stages=["reward", "ppo"])
            self._wait_for_round()
            self._look()
            self._note(end)

    def _wait_for_round(self) -> None:
        """Until one more round than before has ended. Raises RuntimeError if none does in time."""
        until = time.monotonic() + ROUND_SECONDS
        known = {each["id"] for each in self.rounds}
        while time.monotonic() < until:
            listed = self.product.api.get("/v1/rounds")["data"]
            fresh = [each for each in listed if each["id"] not in known]
            if fresh and all(each["state"] not in ("queued", "running") for each in fresh):
                self.rounds += sorted(fresh, key=lambda each: int(each["id"]))
                return
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"no round ended: {self.product.api.get('/v1/learner')}")

    def _look(self) -> None:
        live = next(v for v in self.product.api.get("/v1/versions")["data"] if v["live"])
        if live["id"] != self.look_at.version:
            self.look_at = self.judge.look(live["id"])

    def _note(self, rankings: int) -> None:
        """Keeps this point of the curve, and says where the run is."""
        look = self.look_at
        # Nothing is asked to find that v0 is no better than itself.
        low, high = look.win.interval if look.win.untied else (0.5, 0.5)
        last: Mapping[str, Any] = self.rounds[-1] if self.rounds else {}
        point = {
            "rankings": rankings,
            "live": look.version,
            "outcome": last.get("outcome"),
            "win_rate": look.win.rate,
            "ci_low": low,
            "ci_high": high,
            "guard": look.guard,
            "kl": look.kl,
            "learner_seconds": self.learner_seconds,
            "best_of": self._best_of(last.get("reward_model")),
        }
        self.points.append(point)
        elapsed = time.monotonic() - self.began
        left = elapsed / rankings * (self.people.rankings - rankings) if rankings else 0.0
        typer.echo(
            f"{rankings:4d}/{self.people.rankings} rankings  {look.version} live"
            f"  win {look.win.rate:.3f} [{low:.3f}, {high:.3f}]  guard {look.guard:.3f}"
            f"  KL {look.kl:.2f}  {point['outcome'] or 'before the first round'}"
            + (f"  ({elapsed:.0f} s, about {left:.0f} s left)" if rankings else "")
        )
        for reason in last.get("reasons", ()):
            typer.echo(f"           {'ok' if reason['passed'] else 'NO'}  {reason['text']}")

    def _best_of(self, reward: str | None) -> float | None:
        """How often the best of v0's answers by the round's reward model wins; None without one."""
        return None if reward is None else self.best_of.win(reward).rate

    @property
    def learner_seconds(self) -> float:
        """From each round's claim to its decision."""
        return sum(
            float(each["decided_at"] - each["claimed_at"])
            for each in self.rounds
            if each["decided_at"] and each["claimed_at"]
        )

    def reward_figure(self, name: str) -> float | None:
        """The last round's figure: each ranking judged by the model that had not seen it."""
        rewards = [each["reward"] for each in self.rounds if each["reward"]]
        return float(rewards[-1][name]) if rewards else None


def result_of(loop: Loop, ceiling: WinRate, bystander: Bystander, gap: float) -> dict[str, Any]:
    """The object that the run prints last."""
    look, (low, high) = loop.look_at, loop.look_at.win.interval
    return {
        "win_rate": look.win.rate,
        "ci_low": low,
        "ci_high": high,
        "wins": look.win.wins,
        "losses": look.win.losses,
        "ties": look.win.ties,
        "ceiling": ceiling.rate,
        "guard_before": loop.base_guard,
        "guard_after": look.guard,
        "kl": look.kl,
        "rankings": loop.people.rankings,
        "random_rankings": len(loop.people.careless),
        "rounds": len(loop.rounds),
        "outcomes": [each["outcome"] for each in loop.rounds],
        "reward_accuracy": loop.reward_figure("tie_aware_accuracy"),
        "reward_accuracy_always_tied": loop.reward_figure("tie_aware_always_tied"),
        "reward_accuracy_untied": loop.reward_figure("cross_validated_accuracy"),
        "learner_seconds": loop.learner_seconds,
        "failed_requests": len(bystander.failures),
        "bystander_requests": bystander.asked,
        "bystander_versions": sorted(bystander.versions),
        "largest_logprob_gap": max(gap, look.worst_gap),
        "best_of_4": loop.points[-1]["best_of"],
        "live": look.version,
        "seed": loop.people.seed,
        "seconds": time.monotonic() - loop.began,
    }


def bench(
    product: Product, people: People, effort: Effort, batch: int, out: Path, queue: bool = False
) -> dict[str, Any]:
    """The whole run on a product that has started; writes the plot and the record into `out`."""
    judge = Judge(product.api, people.score, effort, Rescorer(product.data), people.seed)
    best_of = BestOf(judge, product.data, effort.untied)
    turn = (labelling if queue else chatting)(product.api, people)
    loop = Loop(product, people, judge, best_of, batch, turn)
    bystander = Bystander(product.url, judge.prompts)
    with bystander.asking():
        loop.run()
        typer.echo("asking v0 for the ceiling")
        ceiling = judge.ceiling()
    every = max(1, len(bystander.candidates) // VERIFIED_ANSWERS)
    gap = judge.worst_gap(bystander.candidates[::every])
    result = result_of(loop, ceiling, bystander, gap)
    examples = judge.side_by_side(loop.look_at.version, EXAMPLES)
    typer.echo("\n" + side_by_side(examples) + "\n")
    for failure in bystander.failures:
        typer.echo(f"failed: {failure}")
    record = {**result, "points": loop.points, "examples": examples, "reports": loop.rounds}
    (out / "closed_loop.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    title = f"{people.rankings} rankings, {people.score.__name__}, seed {people.seed}"
    if find_spec("matplotlib"):
        draw(loop.points, title, out / "closed_loop.png")
    typer.echo(f"record and plot in {out}")
    return result


def settings_of(given: Sequence[str]) -> dict[str, str]:
    """By name. Raises ValueError where one is no NAME=VALUE."""
    for each in given:
        if "=" not in each.strip("="):
            raise ValueError(f"--set {each}: give NAME=VALUE, such as learner.method=rloo")
    return dict(each.split("=", 1) for each in given)


def main(
    preference: Annotated[str, typer.Option(help="FILE.py:function, the hidden score.")],
    rankings: Annotated[int, typer.Option(help="How many four-way rankings.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Of prompts, people and random rankings.")] = 0,
    model: Annotated[str, typer.Option(help="builtin, a folder, or a hub id.")] = "builtin",
    data: Annotated[Path | None, typer.Option(help="Data folder. [a new one]")] = None,
    out: Annotated[Path | None, typer.Option(help="For plot and record. [the data folder]")] = None,
    watch: Annotated[bool, typer.Option(help="Open the UI, and keep it until Ctrl-C.")] = False,
    quick: Annotated[bool, typer.Option(help="Small figures that mean nothing.")] = False,
    careless: Annotated[
        float, typer.Option(help="Share of random rankings.", min=0, max=1)
    ] = RANDOM_SHARE,
    vllm: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="A Python that has vLLM: two engines and two servers over PostgreSQL.",
        ),
    ] = None,
    queue: Annotated[
        bool, typer.Option(help="People rank items of the labelling queue, not chats of their own.")
    ] = False,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the product's, repeatable.")
    ] = None,
) -> None:
    """Measures whether the live version wins over v0, and what that cost."""
    try:
        score, chosen = load_preference(preference), settings_of(setting or ())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if watch and vllm:
        raise typer.BadParameter("--watch opens the page, which does not run with --vllm")
    if vllm and data is not None and data.is_dir() and any(data.iterdir()):
        raise typer.BadParameter(
            f"--data {data} is in use: with --vllm the record is a new PostgreSQL's, and so must be"
            " the versions. Give an empty folder, or none"
        )
    data = (data or Path(tempfile.mkdtemp(prefix="rankloop-bench-"))).absolute()
    out = out or data
    out.mkdir(parents=True, exist_ok=True)
    people = People(score, rankings, seed, random_share=careless)
    effort, batch, settings = (
        (QUICK_EFFORT, QUICK_BATCH, QUICK_SETTINGS) if quick else (Effort(), BATCH, {})
    )
    if queue:  # each ranking is of a prompt of its own, as in a chat
        settings = settings | {"server.tasks.shared": "0", "server.tasks.repeats": "0"}
    settings = settings | chosen
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the product is stopped on the way
    typer.echo(f"{preference}, {rankings} rankings, {len(people.careless)} random by seed {seed}")
    started = spread(data, model, settings, vllm=vllm) if vllm else running(data, model, settings)
    with started as product:
        typer.echo(f"data  {data}\nchat  {product.page}\nAPI   {product.url}/v1")
        if watch:
            webbrowser.open(product.page)
        try:
            result = bench(product, people, effort, batch, out, queue)
        except httpx.HTTPError as error:
            raise SystemExit(f"the product failed a request: {error}") from error
        if watch:
            typer.echo(f"{product.page} stays until Ctrl-C")
            with suppress(KeyboardInterrupt):
                signal.pause()
    typer.echo(json.dumps(result))


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
