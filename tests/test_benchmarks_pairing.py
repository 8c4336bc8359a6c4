"""The bench of informative pairing, in short: what it counts, and what people are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.pairing import INFORMATIVE, SAME, Bench, Effort, Item, rows_of, share_needed
from benchmarks.people import People
from learner.ranked_group import RankedGroup
from tests.tiny_models import make_tiny


class Watched(Bench):
    """What people are shown is seen."""

    def _ranked(self, number: int, item: Item) -> RankedGroup:
        self.seen = [*getattr(self, "seen", []), item]
        return super()._ranked(number, item)


TINY = Effort(rounds=2, rankings_per_round=3, drawn=6, held_out=4, max_tokens=4)


def test_the_share_is_read_off_the_mean_curves() -> None:
    """`same` ends at .8; the other is .7 after 10 rankings and .9 after 20: at .8 after 15 of 30,
    which is one half. One that stays below needs none that there are.
    """
    curves = {SAME: [[0.6, 0.7, 0.8]], INFORMATIVE: [[0.6, 0.8, 0.9], [0.8, 1.0, 1.0]]}
    assert share_needed(curves, 10) == pytest.approx(0.5)
    assert share_needed({SAME: [[0.7, 0.8]], INFORMATIVE: [[0.6, 0.7]]}, 10) is None


def test_the_gain_is_of_each_seed_with_itself() -> None:
    """Gains of .1 and .3: .2 on average, the error .2 / sqrt(2) / sqrt(2) = .1."""
    curves = {SAME: [[0.5], [0.6]], INFORMATIVE: [[0.6], [0.9]]}
    assert rows_of(curves, 32) == [["32", "0.550", "0.750", "+0.200 ± 0.100"]]


def test_people_are_shown_four_of_what_was_drawn(tmp_path: Path) -> None:
    """Two rounds of three rankings on a tiny model; the choice is made from the second round on."""
    folder = make_tiny(tmp_path / "tiny", max_position_embeddings=1024)
    people = People(lambda messages, reply: float(len(reply)), 6, seed=0)
    bench = Watched(folder, TINY, people, lambda text: None)
    for pairing in (SAME, INFORMATIVE):
        assert len(bench.run(pairing)) == 2
    shown = bench.seen
    first = [item.of(range(4)).texts for item in bench.items]
    assert [item.texts for item in shown[:9]] == [*first, *first[:3]]
    assert [len(item.texts) for item in shown[9:]] == [4] * 3
    assert all(
        set(a.texts) <= set(b.texts) for a, b in zip(shown[9:], bench.items[3:], strict=True)
    )
