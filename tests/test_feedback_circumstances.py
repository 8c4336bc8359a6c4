"""What statistics of people read of a ranking: how it came about, and what is known of its item."""

from __future__ import annotations

from random import Random

from feedback.labelling import Item, Terms
from feedback.rankings import Told
from feedback.store import Store
from feedback.trust.consistency import self_consistency
from feedback.trust.gold import Tally, on_gold
from tests.feedback_databases import a_generation
from tests.test_feedback_tasks import an_item, rank


def given(store: Store, terms: Terms) -> Item:
    item = store.next_task("eve", terms, Random(0))
    assert item is not None
    return item


def test_a_ranking_outside_the_queue_tells_little(store: Store) -> None:
    """No gold, nothing earlier; the order shown and the seconds, if they were sent."""
    store.record_generation(a_generation("c1", n=2))
    told = Told(shown=("c1-1", "c1-0"), seconds=4.5)
    store.add_ranking(person="eve", completion_id="c1", ranks=[1, 2], told=told)
    [judgement] = store.judgements()
    assert (judgement.shown, judgement.seconds) == ((1, 0), 4.5)
    assert (judgement.gold, judgement.earlier) == (None, None)


def test_gold_comes_with_its_right_ranks(store: Store) -> None:
    """Eve ranks whatever comes first best, and gold says 1 2 3 4 of c1-0 to c1-3."""
    store.record_generation(a_generation("c1"))
    store.add_gold(completion_id="c1", ranks=[1, 2, 3, 4])
    an_item(store, "c2")  # gold hides among others
    item = given(store, Terms(lease_s=60, gold=1.0))
    store.answer_task(
        person="eve",
        task_id=str(item.id),
        candidates=[f"c1-{place}" for place in range(4)],
        ranks=[1, 2, 3, 3],
    )
    [judgement] = store.judgements()
    assert judgement.gold == (1, 2, 3, 4)
    assert on_gold([judgement]) == Tally(5.5, 6)  # of six pairs one is tied


def test_a_repeat_comes_with_what_was_said_before(store: Store) -> None:
    """The first of six is asked for again; a change of mind about the repeat is still compared
    with what was said at first.
    """
    often = Terms(lease_s=60, repeats=1.0)
    for number in range(8):
        an_item(store, f"c{number}")
    for _ in range(6):
        rank(store, given(store, often), "eve")
    repeat = given(store, often)
    assert repeat.kind == "repeat"
    first = [answer.id for answer in repeat.answers]
    for ranks in ([4, 3, 2, 1], [1, 2, 3, 4]):
        store.answer_task(
            person="eve", task_id=str(repeat.id), candidates=sorted(first), ranks=ranks
        )
    again = store.judgements()[-1]
    assert again.earlier is not None
    assert sorted(filter(None, again.earlier)) == [1, 2, 3, 3]
    assert self_consistency([again]).count == 6
