"""A learning round on a tiny model, with the real record, the real engine and real folders."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from feedback.records import CandidateRecord, GenerationRecord, Reason, RoundInfo
from feedback.settings import DatabaseSettings
from feedback.store import Store
from learner import guards
from learner.keeper import Keeper
from learner.ranked_group import RankedGroup
from learner.reader import Reader
from learner.rewarder import Rewarder
from learner.settings import LearnerSettings, Settings
from policy.chat import Message
from policy.settings import VersionSettings
from policy.versions import Versions
from policy.vllm.settings import VllmSettings
from tests.feedback_databases import execute
from tests.test_learner_reward import made_rankings
from tests.tiny_classifiers import make_classifier
from tests.tiny_models import make_tiny

WORDS = "hello fine thank you capital France Paris opposite hot cold Monday red green blue".split()
SMALL = {
    "rankings_per_round": 24,
    "reward": {"learning_rate": 3e-3, "epochs": 6},
    "ppo": {"steps": 2, "prompts_per_step": 4, "max_tokens": 10, "check_every": 1},
    "gate": {"regression_prompts": 20, "win_prompts": 20},
}


def settings_in(folder: Path, **changed: object) -> Settings:
    """A product's settings: small ones, but for what is changed."""
    settings = SimpleNamespace(
        data=folder / "data",
        model=str(folder / "model"),
        database=DatabaseSettings(),
        versions=VersionSettings(),
        vllm=VllmSettings(),
        learner=LearnerSettings.model_validate(SMALL | changed),
    )
    return cast("Settings", settings)


class Product:
    """A data folder with a tiny starting model, and people who rank its answers."""

    def __init__(self, folder: Path, **changed: object) -> None:
        make_tiny(folder / "model", "llama", seed=0)
        self.settings = settings = settings_in(folder, **changed)
        settings.data.mkdir()
        self.store = Store.open(settings.database.resolve(settings.data))
        self.versions = Versions(settings.data / "versions")
        manifest = self.versions.install_base(settings.model)
        self.store.install_base("v0", digest=manifest.digest)
        self.model = self.versions.load("v0")
        self.keeper = Keeper(self.store, settings)

    def rank(self, count: int, seed: int, like: bool = True, person: str = "ada") -> None:
        """So many people rank four answers: they like one token, or nothing in particular."""
        noise = random.Random(f"{seed} noise")
        for ids, ranks in self.ask(count, seed):
            said = ranks if like else [noise.randrange(1, 3) for _ in ids]
            self.store.add_ranking(person=person, candidates=ids, ranks=said)

    def thumb(self, count: int, seed: int) -> None:
        """So many prompts with four answers, each with a thumb by whether it holds one token."""
        for ids, ranks in self.ask(count, seed):
            for id, rank in zip(ids, ranks, strict=True):
                values = {"thumb": float(rank == 1)}
                self.store.add_marks(person="ada", candidate=id, values=values)

    def ask(self, count: int, seed: int) -> Iterator[tuple[list[str], list[int]]]:
        """So many prompts with four answers on record: their ids, and ranks by one token."""
        rng = random.Random(f"{seed} people")  # not the stream that the replies are drawn from
        for i, ranking in enumerate(made_rankings(count, seed)):
            text = " ".join(rng.choices(WORDS, k=6))
            ids = [f"c{seed}-{i}-{j}" for j in range(4)]
            self.store.record_generation(self._generation(f"{seed}-{i}", text, ids, ranking))
            yield ids, list(ranking.ranks)

    def show(self, count: int, seed: int = 0, answer: str = "The opposite of hot is cold.") -> None:
        """So many people show how to answer: always alike."""
        rng = random.Random(f"{seed} shown")
        for i in range(count):
            text = " ".join(rng.choices(WORDS, k=6))
            self.store.add_demonstration(
                person="ada",
                messages=(("user", text), ("assistant", answer)),
                conversation_id=f"shown{seed}-{i}",
            )

    def round(self, *stages: str) -> RoundInfo:
        """A round that an operator asks for."""
        self.store.request_round(trigger="operator", stages=stages or None, actor="ada")
        self.keeper.look()
        return self.store.rounds()[0]

    def lead(self) -> None:
        """A round that ends with v1, which led over v0 without the gate being sure."""
        self.store.request_round(trigger="operator", stages=None, actor="ada")
        claim = self.store.claim_round("another learner", 60.0)
        assert claim is not None
        id = self.store.next_id("v")
        manifest = self.versions.publish(
            id, self.model, kind="full", parent="v0", round=claim.round_id
        )
        self.store.register_version(
            id,
            digest=manifest.digest,
            parent="v0",
            kind="full",
            round_id=claim.round_id,
            claim=claim,
        )
        unsure = Reason("win_rate", False, 0.52, 0.5, "ahead, but not surely")
        self.store.finish_round(claim, outcome="rejected", reasons=(unsure,), version_id=id)

    def _generation(
        self, name: str, text: str, ids: list[str], ranking: RankedGroup
    ) -> GenerationRecord:
        return GenerationRecord(
            id=f"g{name}",
            conversation_id=f"conversation{name}",
            person="ada",
            consented=True,
            version="v0",
            digest="digest",
            messages=(("user", text),),
            prompt_ids=tuple(self.model.chat.encode([Message("user", text)])),
            params={},
            seed=0,
            template_hash="hash",
            candidates=tuple(
                _candidate(*x) for x in zip(range(4), ids, ranking.group.replies, strict=True)
            ),
            created_at=0.0,
        )


def _candidate(index: int, id: str, tokens: tuple[int, ...]) -> CandidateRecord:
    logps = (-1.0,) * len(tokens)
    return CandidateRecord(id, index, f"{tokens}", tokens, logps, logps, "length")


def test_rankings_become_a_version_with_reasons(tmp_path: Path) -> None:
    """Enough rankings start a round; its version is published, gated and on record."""
    product = Product(tmp_path)
    product.rank(90, seed=1)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.state == "done", round_.error
    assert round_.outcome in {"promoted", "rejected"}
    assert round_.rankings == 90
    assert round_.reward is not None
    assert round_.reward["cross_validated_low"] > 0.5
    assert 0 <= round_.reward["calibration_error"] < 0.5
    assert sum(share for _, _, share in round_.reward["reliability"]) == pytest.approx(1)
    assert round_.reward["agreement"] is None  # one person ranked
    checks = [reason.check for reason in round_.reasons]
    assert checks[:5] == ["reward_accuracy", "improve", "integrity", "finite", "loads"]
    assert product.versions.verify("v1").parent == "v0"
    assert product.versions.verify("r1").kind == "reward"
    assert product.store.live().version == ("v1" if round_.outcome == "promoted" else "v0")
    assert product.store.waiting().count == 0
    assert product.store.learned_from("v1", "ada").yours == 90


def test_a_round_draws_from_imported_prompts(tmp_path: Path) -> None:
    """They are on record as the round's, and a set that has none is named in its reasons."""
    sets = {"week": 0.5, "nobody's": 0.25}
    product = Product(tmp_path, ppo={**SMALL["ppo"], "prompt_sets": sets})  # type: ignore[dict-item]
    asked = [(("user", f"the capital of {word} please"),) for word in WORDS]
    product.store.add_prompts("week", asked, person="eve")
    product.rank(90, seed=1)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.state == "done", round_.error
    assert "prompt_sets" in [reason.check for reason in round_.reasons]
    database = product.settings.database.resolve(product.settings.data)
    assert execute(database, "select count(*) from round_set_prompt") == [(len(WORDS),)]


def test_a_round_runs_on_a_pessimist_of_several_heads(tmp_path: Path) -> None:
    """PPO is rewarded by it, and what is published holds the heads, verified with the rest."""
    reward = {**SMALL["reward"], "heads": 3, "pessimism": 1.0}  # type: ignore[dict-item]
    product = Product(tmp_path, reward=reward)
    product.rank(90, seed=1)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.state == "done", round_.error
    assert "heads/heads.safetensors" in product.versions.verify("r1").files


def test_a_round_weighs_a_scorer_into_the_reward(tmp_path: Path) -> None:
    """Each step's metrics show it apart, and what is published names it and its normalisation."""
    scorer = {"name": "paris", "label": "names", "model": str(make_classifier(tmp_path / "bert"))}
    reward = {**SMALL["reward"], "scorers": [scorer]}  # type: ignore[dict-item]
    product = Product(tmp_path, reward=reward, idle_s=5.0)
    product.rank(90, seed=1)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.state == "done", round_.error
    steps = [point.values for point in product.store.metrics(round_.id) if point.stage == "ppo"]
    assert all("reward/paris" in step and "reward/ranking" in step for step in steps)
    assert "scorers/scorers.json" in product.versions.verify("r1").files
    product.keeper.look()
    assert [*product.store.rewards("c1-89-0")["r1"]] == ["total", "ranking", "paris"]


def test_a_round_teaches_a_text_model(tmp_path: Path) -> None:
    """It is examined, rewards PPO in the reward model's place, and is published with it."""
    trunk = str(make_classifier(tmp_path / "bert", steps=0))
    reward = {**SMALL["reward"], "kind": "binary", "trunk": trunk}  # type: ignore[dict-item]
    product = Product(tmp_path, reward=reward, idle_s=5.0)
    product.rank(200, seed=1)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.state == "done", round_.error
    checks = [reason.check for reason in round_.reasons]
    assert checks[:3] == ["reward_accuracy", "text_accuracy", "improve"], round_.reasons
    assert "text/model.safetensors" in product.versions.verify("r1").files
    product.keeper.look()
    rewarder = Rewarder.load(product.versions.folder("r1"), Reader(product.model.chat, {}))
    assert rewarder.text is not None
    assert [*product.store.rewards("c1-199-0")] == ["r1"]


def test_a_round_learns_criteria_from_ratings(tmp_path: Path) -> None:
    """Ratings given by themselves train a head, whose part of the reward and whose fit to unseen
    ratings are shown.
    """
    reward = {**SMALL["reward"], "criteria": {"helpful": 0.5, "honest": 0.0}}  # type: ignore[dict-item]
    product = Product(tmp_path, reward=reward)
    product.rank(90, seed=1)
    for i, ranking in enumerate(made_rankings(90, seed=1)):
        for j, rank in enumerate(ranking.ranks):
            product.store.add_marks(
                person="ada", candidate=f"c1-{i}-{j}", values={"helpful": 7.0 if rank == 1 else 2.0}
            )
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.state == "done", round_.error
    assert round_.reward is not None
    assert round_.reward["criteria"]["helpful"]["ratings"] == 360
    assert round_.reward["criteria"]["helpful"]["correlation"] > 0.5
    steps = [point.values for point in product.store.metrics(round_.id) if point.stage == "ppo"]
    assert all("reward/helpful" in step and "reward/honest" not in step for step in steps)
    assert "criteria/criteria.safetensors" in product.versions.verify("r1").files


def test_thumbs_alone_start_a_round_of_good_and_bad(tmp_path: Path) -> None:
    """Where the reward model is of that kind; then none waits any longer."""
    reward = {**SMALL["reward"], "kind": "binary"}  # type: ignore[dict-item]
    product = Product(tmp_path, reward=reward)
    product.thumb(60, seed=1)
    assert (product.store.waiting().count, product.store.waiting_thumbs().count) == (0, 60)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert (round_.state, round_.trigger) == ("done", "rankings"), round_.error
    assert round_.outcome in {"promoted", "rejected"}
    assert round_.reward is not None
    assert round_.reward["cross_validated_low"] > 0.5
    assert product.store.waiting_thumbs().count == 0


def test_one_answer_with_a_thumb_is_enough(tmp_path: Path) -> None:
    """Where each prompt has one answer, the model is examined across prompts: of 200, half of them
    good, at most 100 pairs.
    """
    reward = {**SMALL["reward"], "kind": "binary"}  # type: ignore[dict-item]
    product = Product(tmp_path, reward=reward)
    for ids, ranks in product.ask(200, seed=1):
        values = {"thumb": float(ranks[0] == 1)}
        product.store.add_marks(person="ada", candidate=ids[0], values=values)
    product.store.request_round(trigger="operator", stages=["reward"], actor="ada")
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.outcome == "verified", round_.error or round_.reasons
    assert round_.reward is not None
    assert round_.reward["cross_validated_low"] > 0.5
    assert 60 <= round_.reward["cross_validated_pairs"] <= 100


def test_thumbs_start_no_round_of_rankings(tmp_path: Path) -> None:
    """A model of any other kind could not use them."""
    product = Product(tmp_path)
    product.thumb(60, seed=1)
    product.keeper.look()
    assert product.store.rounds() == []


@pytest.mark.parametrize(("whole", "start"), [(True, "v1"), (False, "v0")])
def test_a_round_goes_on_from_what_led(tmp_path: Path, whole: bool, start: str) -> None:
    """And from the live version where the other's folder is gone; the parent says which."""
    product = Product(tmp_path)
    product.rank(90, seed=1)
    product.lead()
    if not whole:
        shutil.rmtree(product.versions.folder("v1"))
    product.keeper.look()
    round_ = product.store.rounds()[0]
    assert round_.state == "done", round_.error
    assert round_.reasons[1].text.startswith(f"From {start}. Step")
    assert product.versions.verify("v2").parent == start
    assert product.store.version("v2").parent == start


def test_adapters_make_versions_one_from_the_other(tmp_path: Path) -> None:
    """With `learner.weights` lora a round publishes peft's files over v0, and the next goes on from
    them; v0's own files are the only full weights."""
    gate = {**SMALL["gate"], "regression_drop": 1.0}  # type: ignore[dict-item]
    product = Product(tmp_path, weights="lora", gate=gate, lease_s=600.0)
    for number in (1, 2):
        product.rank(90, seed=number)
        product.keeper.look()
        round_ = product.store.rounds()[0]
        assert round_.state == "done", round_.error
        manifest = product.versions.verify(f"v{number}")
        assert manifest.kind == product.store.version(f"v{number}").kind == "adapter"
        assert set(manifest.files) == {"adapter_config.json", "adapter_model.safetensors"}
        assert "adapter_model.safetensors" in product.versions.verify(f"r{number}").files
        if number == 1 and product.store.live().version == "v0":
            product.store.promote("v1", actor="ada", reason="a test")
    assert product.versions.read("v2").parent == "v1"
    for _ in range(40):  # nothing is due: stored answers are scored, by the adapter over v0
        product.keeper.look()
    assert "r2" in product.store.rewards("c2-89-0")
    assert not list(product.versions.root.glob("*/model*.safetensors"))


def test_rloo_makes_a_version_too(tmp_path: Path) -> None:
    """With `learner.method` rloo a round comes as far as the gate."""
    product = Product(tmp_path, method="rloo")
    product.rank(90, seed=1)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.state == "done", round_.error
    assert round_.reasons[2].check == "integrity"
    assert product.versions.verify("v1").settings["method"] == "rloo"


def test_a_round_that_a_guard_ends_is_rejected_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No ratio is below one half: the first update is not made, nothing is published."""
    monkeypatch.setattr(guards, "RATIO_LIMIT", 0.5)
    product = Product(tmp_path)
    product.rank(90, seed=1)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert (round_.state, round_.outcome) == ("done", "rejected"), round_.error
    assert [reason.check for reason in round_.reasons[1:]] == ["improve", "ratio", "raters"]
    assert "The update was not made" in round_.reasons[2].text
    assert "v1" not in product.versions.ids()


def test_noise_needs_feedback(tmp_path: Path) -> None:
    """Rankings without a preference teach nothing: no policy is trained on them."""
    product = Product(tmp_path)
    product.rank(60, seed=2, like=False)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.outcome == "needs_feedback", round_.error
    assert not round_.reasons[0].passed
    assert product.versions.ids() == ["v0"]


def test_too_few_rankings_wait(tmp_path: Path) -> None:
    """Below the threshold nothing starts; asked for, a round says what is lacking."""
    product = Product(tmp_path)
    product.rank(3, seed=3)
    product.keeper.look()
    assert product.store.rounds() == []
    product.store.request_round(trigger="operator", stages=None, actor="ada")
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.outcome == "needs_feedback"
    assert "it takes 4 of each" in round_.reasons[0].text
    assert round_.reasons[1].text.startswith("One person's rankings count in full: caps and trust")


def test_a_round_that_fails_says_why_and_changes_nothing(tmp_path: Path) -> None:
    """A regression file that cannot be read fails the round by name; v0 serves, rankings wait."""
    bad = tmp_path / "regression.jsonl"
    bad.write_text(json.dumps({"messages": []}) + "\n")
    product = Product(
        tmp_path, gate={"regression_file": bad, "regression_prompts": 20, "win_prompts": 20}
    )
    product.rank(90, seed=1)
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.state == "failed"
    assert round_.error is not None
    assert "regression.jsonl, line 1" in round_.error
    assert product.store.live().version == "v0"
    assert product.store.waiting().count == 90


def test_a_folder_without_a_row_is_cleared_by_the_next_round(tmp_path: Path) -> None:
    """A learner killed between publishing and registering leaves v1; the next round removes it."""
    product = Product(tmp_path)
    product.versions.publish(
        product.store.next_id("v"), product.model, kind="full", parent="v0", round=1
    )
    assert product.versions.ids() == ["v0", "v1"]
    product.store.request_round(trigger="operator", stages=None, actor="ada")
    product.keeper.look()
    assert product.versions.ids() == ["v0"]


def test_a_cancelled_round_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to stop while it reads, the round ends cancelled before it trains."""
    product = Product(tmp_path)
    product.rank(24, seed=1)
    training_rankings = product.store.training_rankings

    def cancel_meanwhile() -> object:
        product.store.cancel_round(1, "ada")
        return training_rankings()

    monkeypatch.setattr(product.store, "training_rankings", cancel_meanwhile)
    product.keeper.look()
    assert product.store.rounds()[0].outcome == "cancelled"
    assert product.versions.ids() == ["v0"]
