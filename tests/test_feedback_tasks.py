"""The labelling queue, through the store, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from feedback import tasks
from feedback.errors import InvalidPrompt, InvalidRanking, NotIssued, UnknownTask
from feedback.labelling import Imported, Item, PromptSet, PromptSource, Terms
from feedback.rankings import Told
from feedback.store import Store
from tests.feedback_databases import a_generation

HOUR = Terms(lease_s=3600)
ONE = (("user", "What is the opposite of hot?"),)
TWO = (("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello"), ("user", "How are you?"))


def an_item(
    store: Store, id: str, wanted: int = 1, answers: int = 4, shows: int | None = None
) -> int:
    """The answers of a completion of that name, to be ranked by so many people."""
    store.record_generation(a_generation(id, prompt=f"prompt {id}", n=answers))
    source = PromptSource(f"digest {id}", (("user", id),), "ann", f"conversation of {id}", None)
    candidates = [f"{id}-{place}" for place in range(answers)]
    return store.add_task(source, candidates, version="v0", wanted=wanted, shows=shows)


def given(store: Store, person: str, terms: Terms = HOUR, seed: int = 0) -> Item:
    item = store.next_task(person, terms, Random(seed))
    assert item is not None
    return item


def rank(store: Store, item: Item, person: str, **more: object) -> int:
    """The stored ranking's id."""
    return store.answer_task(
        person=person,
        task_id=str(item.id),
        candidates=[answer.id for answer in item.answers],
        ranks=[1, 2, 3, 3],
        **more,  # type: ignore[arg-type]
    ).id


class TestPrompts:
    def test_a_set_takes_nothing_twice(self, store: Store) -> None:
        """Two prompts, one of them given twice: one is known; all of them again: none is new."""
        first = store.add_prompts("week 1", [ONE, TWO, ONE], person="ada")
        again = store.add_prompts("week 1", [TWO, ONE], person="bob")
        assert (first, again) == (Imported(2, 1, 2), Imported(0, 2, 2))
        assert store.add_prompts("week 2", [ONE], person="ada") == Imported(1, 0, 1)

    @pytest.mark.parametrize(
        "messages",
        [
            (),
            (("system", "Be kind."),),
            (("user", "Hi"), ("assistant", "Hello")),
            (("user", "Hi"), ("user", "Hi")),
            (("user", " "),),
        ],
        ids=["none", "system-alone", "answered", "twice-user", "blank"],
    )
    def test_what_nobody_could_answer_is_refused(
        self, store: Store, messages: tuple[tuple[str, str], ...]
    ) -> None:
        """And with it the whole import."""
        with pytest.raises(InvalidPrompt):
            store.add_prompts("week 1", [ONE, messages], person="ada")
        assert store.prompt_sets() == []

    def test_imported_prompts_are_answered_before_logged_ones(self, store: Store) -> None:
        """Oldest first, each once; then the last one asked, by each version once; never one of a
        person who did not consent.
        """
        store.add_prompts("week 1", [ONE, TWO], person="ada")
        store.record_generation(a_generation("c1", at=1000))
        store.record_generation(a_generation("c2", prompt="private", consented=False, at=2000))
        seen = []
        for place in range(3):
            source = store.next_source("v0")
            assert source is not None
            seen.append((source.messages[-1][1], source.person))
            id = f"fresh {place}"
            text = source.messages[-1][1]
            store.record_generation(a_generation(id, prompt=text, person=source.person))
            candidates = [f"{id}-{number}" for number in range(4)]
            store.add_task(source, candidates, version="v0", wanted=1)
        assert seen == [(ONE[0][1], "ada"), (TWO[3][1], "ada"), ("hi", "ann")]
        assert store.next_source("v0") is None
        assert store.next_source("v1") is not None

    def test_a_prompt_without_answers_is_not_asked_again(self, store: Store) -> None:
        """Nobody is to rank anything, and the set counts it as answered."""
        store.add_prompts("week 1", [ONE], person="ada")
        source = store.next_source("v0")
        assert source is not None
        store.add_task(source, [], version="v0", wanted=0)
        assert store.next_source("v0") is None
        assert store.ready_tasks("eve") == 0
        assert store.prompt_sets() == [PromptSet("week 1", prompts=1, answered=1, labelled=1)]


class TestGiving:
    def test_two_people_never_get_the_place_of_one(self, store: Store) -> None:
        """Of two items that want one ranking each, each has one; nothing is left for a third."""
        an_item(store, "c1"), an_item(store, "c2")
        assert given(store, "eve").id != given(store, "bob").id
        assert store.next_task("cat", HOUR, Random(0)) is None

    def test_ten_who_ask_at_once_get_ten_items(self, store: Store) -> None:
        """Each in a transaction of its own, on threads of their own."""
        for number in range(10):
            an_item(store, f"c{number}")
        with ThreadPoolExecutor(10) as threads:
            items = threads.map(lambda number: given(store, f"person {number}"), range(10))
            assert len({item.id for item in items}) == 10

    def test_an_item_for_three_is_given_to_three(self, store: Store) -> None:
        """And to no fourth; the place of one who skips it is given to another."""
        id = an_item(store, "c1", wanted=3)
        assert {given(store, person).id for person in ("eve", "bob", "cat")} == {id}
        assert store.next_task("dan", HOUR, Random(0)) is None
        store.skip_task(str(id), person="bob", reason="unclear")
        assert given(store, "dan").id == id

    def test_the_same_item_comes_until_it_is_answered(self, store: Store) -> None:
        """In the same order, so that a page may be loaded anew; then never again."""
        an_item(store, "c1"), an_item(store, "c2")
        first = given(store, "eve", seed=1)
        again = given(store, "eve", seed=2)
        assert (again.id, again.answers) == (first.id, first.answers)
        rank(store, first, "eve")
        assert given(store, "eve").id != first.id

    def test_an_item_besides_those_at_hand(self, store: Store) -> None:
        """Whoever looks ahead names what they have."""
        an_item(store, "c1"), an_item(store, "c2")
        first = given(store, "eve")
        other = store.next_task("eve", HOUR, Random(0), besides=[first.id])
        assert other is not None
        assert other.id != first.id

    def test_an_expired_lease_goes_back(self, store: Store) -> None:
        """To another person; the first one's ranking is then refused with a sentence."""
        an_item(store, "c1")
        late = given(store, "eve", Terms(lease_s=0))
        assert given(store, "bob").id == late.id
        with pytest.raises(NotIssued, match="went to somebody else"):
            rank(store, late, "eve")
        assert store.waiting().count == 0

    def test_a_late_ranking_counts_while_the_place_is_free(self, store: Store) -> None:
        """Nobody else was given the item in the meantime."""
        an_item(store, "c1")
        late = given(store, "eve", Terms(lease_s=0))
        rank(store, late, "eve")
        assert store.next_task("bob", HOUR, Random(0)) is None

    def test_a_renewed_item_stays(self, store: Store) -> None:
        """An hour from now on, though its time was over; nobody else is given it."""
        an_item(store, "c1")
        late = given(store, "eve", Terms(lease_s=0))
        left_s = store.renew_task(str(late.id), person="eve", lease_s=3600)
        assert left_s == pytest.approx(3600, abs=60)
        assert store.next_task("bob", HOUR, Random(0)) is None

    def test_an_item_that_went_to_another_is_not_renewed(self, store: Store) -> None:
        """Nor one that is ranked."""
        an_item(store, "c1")
        late = given(store, "eve", Terms(lease_s=0))
        rank(store, given(store, "bob"), "bob")
        for person in ("eve", "bob"):
            with pytest.raises(NotIssued, match="no longer"):
                store.renew_task(str(late.id), person=person, lease_s=3600)

    def test_answers_are_shuffled_and_blind(self, store: Store) -> None:
        """Over twenty items each of four answers comes first at least once: at random one of them
        would be missing in about 4 * .75 ** 20 = 1 % of all runs, and the seeds are fixed.
        """
        first = set()
        for number in range(20):
            an_item(store, f"c{number}")
            item = given(store, "eve", seed=number)
            first.add(item.answers[0].id.rpartition("-")[2])
            rank(store, item, "eve")
        assert first == {"0", "1", "2", "3"}
        assert not hasattr(item.answers[0], "version")

    def test_a_skipped_item_is_not_given_again(self, store: Store) -> None:
        """Skipping twice is harmless; an item that is ranked cannot be skipped."""
        an_item(store, "c1"), an_item(store, "c2")
        first = given(store, "eve")
        for _ in range(2):
            store.skip_task(str(first.id), person="eve", reason="unclear")
        second = given(store, "eve")
        assert second.id != first.id
        rank(store, second, "eve")
        with pytest.raises(NotIssued, match="ranked already"):
            store.skip_task(str(second.id), person="eve", reason="unclear")


class TestChoosing:
    """Of six answers four are shown. What nothing is said of waits five seconds."""

    @pytest.fixture(autouse=True)
    def _no_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tasks, "CHOICE_S", 0.0)

    SCORES = ((0.0, 0.0), (0.1, 0.1), (3.0, -3.0), (-3.0, 3.0), (1.0, -1.0), (-1.0, 1.0))
    """What two heads say of them; the last four are disputed."""

    def scored(self, store: Store, reward: str, scores: Sequence[Sequence[float]]) -> None:
        """By a reward model of that name."""
        store.register_version(reward, digest=reward, parent="v0", kind="reward")
        by_head = {f"c1-{place}": row for place, row in enumerate(scores)}
        store.add_rewards(reward, {id: {"total": 0.0} for id in by_head}, by_head=by_head)

    def shown(self, store: Store, person: str = "eve") -> set[str]:
        return {answer.id for answer in given(store, person).answers}

    def test_the_most_disputed_are_shown(self, store: Store) -> None:
        """Whoever comes next is shown the same, though a later model thinks otherwise."""
        an_item(store, "c1", wanted=2, answers=6, shows=4)
        self.scored(store, "r1", self.SCORES)
        assert self.shown(store) == {"c1-2", "c1-3", "c1-4", "c1-5"}
        self.scored(store, "r2", self.SCORES[::-1])
        assert self.shown(store, "bob") == {"c1-2", "c1-3", "c1-4", "c1-5"}

    def test_the_newest_model_that_knows_them_all_is_asked(self, store: Store) -> None:
        """The tenth, not the ninth, which had scored five of the six."""
        an_item(store, "c1", answers=6, shows=4)
        self.scored(store, "r9", self.SCORES[:5])
        self.scored(store, "r10", self.SCORES[::-1])
        assert self.shown(store) == {"c1-0", "c1-1", "c1-2", "c1-3"}

    def test_its_answers_are_scored_before_newer_ones(self, store: Store) -> None:
        """Whatever people chat and look at beside; once they are scored they wait no more."""
        an_item(store, "c1", answers=6, shows=4)
        store.record_generation(a_generation("chat", at=9999.0))
        store.register_version("r0", digest="r0", parent="v0", kind="reward")
        store.want_reward("chat-0")
        ids = [f"c1-{place}" for place in range(6)]
        assert [answer.id for answer in store.unscored("r1", 7)] == [*ids, "chat-0"]
        self.scored(store, "r1", self.SCORES)
        assert [answer.id for answer in store.unscored("r1", 7)] == [f"chat-{i}" for i in range(4)]

    def test_an_item_waits_for_its_scores(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It counts as ready, so that no more are made than are needed; others go before it."""
        monkeypatch.setattr(tasks, "CHOICE_S", 60.0)
        first = an_item(store, "c1", answers=6, shows=4)
        assert store.next_task("eve", HOUR, Random(0)) is None
        assert store.ready_tasks("eve") == 1
        assert an_item(store, "c2") == given(store, "bob").id
        self.scored(store, "r1", self.SCORES)
        assert given(store, "eve").id == first

    def test_without_scores_the_first_are_shown(self, store: Store) -> None:
        """Or with those of a model of a single head."""
        an_item(store, "c1", answers=6, shows=4)
        store.register_version("r1", digest="r1", parent="v0", kind="reward")
        store.add_rewards("r1", {f"c1-{place}": {"total": float(place)} for place in range(6)})
        assert self.shown(store) == {"c1-0", "c1-1", "c1-2", "c1-3"}

    def test_only_what_was_shown_is_ranked_and_seen(self, store: Store) -> None:
        """The others are no answers of the item."""
        an_item(store, "c1", answers=6, shows=4)
        self.scored(store, "r1", self.SCORES)
        item = given(store, "eve")
        body = {"candidates": [f"c1-{place}" for place in range(6)], "ranks": [1, 2, 3, 4, 5, 6]}
        with pytest.raises(InvalidRanking, match="has other answers"):
            store.answer_task(person="eve", task_id=str(item.id), **body)  # type: ignore[arg-type]
        rank(store, item, "eve")
        [ranked] = store.training_rankings()
        assert {answer.candidate_id for answer in ranked.answers} == {a.id for a in item.answers}


class TestAnswers:
    def test_it_is_kept_how_a_ranking_came_about(self, store: Store) -> None:
        """The order shown is the lease's, whatever the client says."""
        an_item(store, "c1")
        item = given(store, "eve")
        told = Told(seconds=12.5, input="keys", guidelines="ab12")
        stored = store.answer_task(
            person="eve",
            task_id=str(item.id),
            candidates=sorted(answer.id for answer in item.answers),
            ranks=[1, 2, 3, 4],
            told=told,
        )
        assert stored.shown == tuple(answer.id for answer in item.answers)
        assert (stored.blind, stored.seconds, stored.input) == (True, 12.5, "keys")
        assert (stored.guidelines, stored.task_id) == ("ab12", str(item.id))

    def test_a_retry_is_harmless(self, store: Store) -> None:
        """One row, one label, although the item is done by then."""
        an_item(store, "c1", wanted=2)
        item = given(store, "eve")
        ids = {rank(store, item, "eve", idempotency_key="once") for _ in range(2)}
        assert len(ids) == 1
        assert given(store, "bob").id == item.id

    def test_a_change_of_mind_supersedes_and_takes_no_second_place(self, store: Store) -> None:
        """The second ranking names the first, and another person still gets the item."""
        an_item(store, "c1", wanted=2)
        item = given(store, "eve")
        first = rank(store, item, "eve")
        second = store.answer_task(
            person="eve",
            task_id=str(item.id),
            candidates=[answer.id for answer in item.answers],
            ranks=[4, 3, 2, 1],
        )
        assert second.supersedes == first
        assert given(store, "bob").id == item.id

    def test_only_what_was_given_is_taken(self, store: Store) -> None:
        """An item nobody has, one that is another's, one with other answers: nothing is stored."""
        an_item(store, "c1")
        store.record_generation(a_generation("other"))
        item = given(store, "eve")
        body = {"candidates": ["other-0", "other-1"], "ranks": [1, 2]}
        with pytest.raises(UnknownTask):
            store.answer_task(person="eve", task_id="t1", **body)  # type: ignore[arg-type]
        with pytest.raises(NotIssued, match="was not given to 'bob'"):
            rank(store, item, "bob")
        with pytest.raises(InvalidRanking, match="has other answers"):
            store.answer_task(person="eve", task_id=str(item.id), **body)  # type: ignore[arg-type]
        assert store.waiting().count == 0

    def test_what_came_about_impossibly_is_refused(self, store: Store) -> None:
        """Candidates that were not ranked, a negative time, an unknown device."""
        store.record_generation(a_generation("c1"))
        for told in (Told(shown=["c1-0", "x"]), Told(seconds=-1.0), Told(input="voice")):
            with pytest.raises(InvalidRanking):
                store.add_ranking(
                    person="eve", candidates=["c1-0", "c1-1"], ranks=[1, 2], told=told
                )


class TestGoldAndRepeats:
    def test_gold_is_everybodys_once(self, store: Store) -> None:
        """At a rate of 1 it comes first; then the person has had it, and normal items come."""
        an_item(store, "c1"), an_item(store, "c2")
        store.record_generation(a_generation("known"))
        gold = store.add_gold(completion_id="known", ranks=[1, 2, 3, 4])
        always = Terms(lease_s=3600, gold=1.0)
        for person in ("eve", "bob"):
            item = given(store, person, always)
            assert (item.id, item.kind) == (gold.id, "gold")
            rank(store, item, person)
            assert given(store, person, always).kind == "normal"

    def test_new_ranks_replace_those_of_the_same_answers(self, store: Store) -> None:
        """One gold item, whatever order its answers are named in."""
        store.record_generation(a_generation("known"))
        first = store.add_gold(candidates=["known-0", "known-1"], ranks=[1, 2])
        second = store.add_gold(candidates=["known-1", "known-0"], ranks=[1, None])
        assert first.id == second.id
        [gold] = store.gold()
        assert dict(zip(gold.candidates, gold.ranks, strict=True)) == {
            "known-0": None,
            "known-1": 1,
        }

    def test_answers_to_a_person_who_did_not_consent_are_no_gold(self, store: Store) -> None:
        """Nobody else is to read them."""
        store.record_generation(a_generation("private", consented=False))
        with pytest.raises(InvalidRanking, match="did not consent"):
            store.add_gold(completion_id="private", ranks=[1, 2, 3, 4])

    def test_whoever_ranked_the_answers_is_not_given_them_as_gold(self, store: Store) -> None:
        """They would only remember what they said."""
        an_item(store, "c1"), an_item(store, "c2")
        rank(store, given(store, "eve"), "eve")
        store.add_gold(completion_id="c1", ranks=[1, 2, 3, 4])
        assert given(store, "eve", Terms(lease_s=3600, gold=1.0)).kind == "normal"

    def test_a_repeat_comes_after_five_others_and_once(self, store: Store) -> None:
        """Six items done, so the first of them is the only one that five came after; it is a new
        item, whose ranking supersedes, and the first ranking stays on record.
        """
        often = Terms(lease_s=3600, repeats=1.0)
        for number in range(8):
            an_item(store, f"c{number}")
        first = given(store, "eve", often)
        ids = [rank(store, first, "eve")]
        for _ in range(5):
            item = given(store, "eve", often)
            assert item.kind == "normal"
            rank(store, item, "eve")
        repeat = given(store, "eve", often)
        assert (repeat.kind, repeat.id != first.id) == ("repeat", True)
        assert {a.id for a in repeat.answers} == {a.id for a in first.answers}
        stored = store.answer_task(
            person="eve",
            task_id=str(repeat.id),
            candidates=[answer.id for answer in repeat.answers],
            ranks=[1, 1, 1, 1],
        )
        assert stored.supersedes == ids[0]

    def test_the_last_item_is_neither(self, store: Store) -> None:
        """Gold comes in place of an item; where none is left there is nothing to hide among."""
        store.record_generation(a_generation("known"))
        store.add_gold(completion_id="known", ranks=[1, 2, 3, 4])
        assert store.next_task("eve", Terms(lease_s=60, gold=1.0), Random(0)) is None


def test_progress_counts_what_is_done_and_what_waits(store: Store) -> None:
    """Two of three items done in 10 s and 20 s: the median is 15 s; one item and one prompt wait.
    Nothing was done after the far future began.
    """
    for id in ("c1", "c2", "c3"):
        an_item(store, id)
    store.add_prompts("week 1", [ONE], person="ada")
    for seconds in (10.0, 20.0):
        rank(store, given(store, "eve"), "eve", told=Told(seconds=seconds))
    progress = store.labelling_progress("eve", since=0.0)
    assert (progress.today, progress.done, progress.waiting) == (2, 2, 2)
    assert progress.median_s == 15.0
    assert store.labelling_progress("eve", since=1e11).today == 0
    assert store.labelling_progress("bob", since=0.0).median_s is None
