"""Rankings given since a reward model was trained, taken into its heads."""

from __future__ import annotations

from pathlib import Path

import pytest

from learner.head_update import heads_HD
from learner.reward_model import RewardModel
from tests.test_learner_round import Product


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """A product whose first round has trained r1 on 60 rankings of one person's, and whose answers
    were scored since.
    """
    product = Product(tmp_path_factory.mktemp("fresh"), idle_s=30.0, rankings_per_round=60)
    product.rank(60, seed=1)
    product.store.request_round(trigger="operator", stages=["reward"], actor="ada")
    product.keeper.look()
    product.keeper.look()
    [round_] = product.store.rounds()
    assert round_.outcome == "verified", round_.error
    return product


def scores(product: Product, seed: int, i: int = 0) -> dict[str, list[float]]:
    """The totals on record of one prompt's four answers, by the label of what said so."""
    found: dict[str, list[float]] = {}
    for j in range(4):
        for label, figures in product.store.rewards(f"c{seed}-{i}-{j}").items():
            found.setdefault(label, []).append(figures["total"])
    return found


def right(ranks: list[int], totals: list[float]) -> int:
    """How many of the untied pairs the totals order as the ranks do."""
    pairs = [(a, b) for a in range(4) for b in range(4) if ranks[a] < ranks[b]]
    return sum(totals[a] > totals[b] for a, b in pairs)


def test_one_ranking_moves_its_answers_within_a_few_ticks(taught: Product) -> None:
    """Somebody ranks four answers the other way round than r1 scores them: then more of the six
    pairs are as they said, on record, and the label says that one ranking was taken in.
    """
    [(ids, _)] = taught.ask(1, seed=2)
    taught.keeper.look()
    before = scores(taught, seed=2)["r1"]
    ranks = [1 + sorted(before).index(total) for total in before]
    taught.store.add_ranking(person="ada", candidates=ids, ranks=ranks)
    for _ in range(3):
        taught.keeper.look()
    after = scores(taught, seed=2)
    assert [*after] == ["r1+1"]
    assert right(ranks, before) == 0
    assert right(ranks, after["r1+1"]) > 0


def test_what_was_published_stays_as_it_was(taught: Product) -> None:
    """The folder verifies, and read from it the model has the heads that the round gave it."""
    taught.rank(2, seed=3)
    for _ in range(3):
        taught.keeper.look()
    taught.versions.verify("r1")
    published = RewardModel.load(taught.versions.folder("r1"))
    assert taught.keeper.idle.loaded is not None
    fresh = taught.keeper.idle.loaded.fresh
    assert (heads_HD(published) == fresh.published_HD).all()
    assert (heads_HD(fresh.model) != fresh.published_HD).any()


def test_a_new_start_goes_on_from_the_same_heads(taught: Product) -> None:
    """They lie in the data folder; nothing is taken in twice."""
    taught.keeper.look()
    idle = taught.keeper.idle
    assert idle.loaded is not None
    heads, since = heads_HD(idle.loaded.fresh.model), idle.loaded.fresh.since
    assert since > 0
    idle.leave()
    again = idle._load("r1").fresh
    assert (heads_HD(again.model) == heads).all()
    assert (again.since, again.step()) == (since, False)


def test_other_answers_keep_what_was_said_of_them(taught: Product) -> None:
    """By the model as it was then: their label says so."""
    assert [*taught.store.rewards("c1-5-0")] == ["r1"]


def test_rounds_read_none_of_it(tmp_path: Path) -> None:
    """Two products with the same rankings, of which one has taken them into its heads between two
    rounds, train the same second reward model, to the bit.
    """
    digests = []
    for idle_s in (0.0, 30.0):
        product = Product(tmp_path / str(idle_s), idle_s=idle_s, rankings_per_round=1000)
        for seed in (1, 2):
            product.rank(40, seed)
            product.keeper.look()
            product.store.request_round(trigger="operator", stages=["reward"], actor="ada")
            product.keeper.look()
        assert (product.keeper.idle.settled is not None) == (idle_s > 0)
        digests.append(product.versions.read("r2").digest)
    assert digests[0] == digests[1]


def test_rankings_of_the_round_itself_are_not_taken_in_again(taught: Product) -> None:
    """Those that it used are played again; the others are new."""
    used, new = taught.store.rankings_by_use("r1")
    assert len(used) == 60
    assert set(used).isdisjoint(new)
    assert len(taught.store.training_rankings(new)) == len(new)


def test_one_of_many_people_cannot_move_the_heads_alone(taught: Product) -> None:
    """Two others have ranked, so eve's cap is ten: of her twelve rankings two are not taken in."""
    before = taught.store.last_ranking()
    for person, count, seed in (("bob", 1, 31), ("ivy", 1, 32), ("eve", 12, 33)):
        taught.rank(count, seed=seed, person=person)
    for _ in range(12):
        taught.keeper.look()
    fresh = taught.keeper.idle.loaded
    assert fresh is not None
    news = [r for r in taught.store.training_rankings() if r.ranking_id > before]
    taken = [r for r in news if r.ranking_id in fresh.fresh.seen]
    assert [r.person for r in taken].count("eve") == 10
    assert len(taken) == 12
