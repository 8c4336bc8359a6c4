"""feedback.quotas, on both databases."""

from __future__ import annotations

from feedback.database import connect, now
from feedback.quotas import COUNTS_S, Share, Want, share
from feedback.store import Store
from tests.feedback_databases import execute


def test_a_share_is_what_is_wanted_or_what_is_left() -> None:
    """Of ten in a minute three want all; eight of which are taken leave two; ten leave none, and
    the wait."""
    want = Want(count=3, limit=10)
    assert share(want, 0, 9.0) == Share(3, 0.0)
    assert share(want, 8, 9.0) == Share(2, 0.0)
    assert share(want, 10, 9.0) == Share(0, 9.0)
    assert share(want, 12, 9.0) == Share(0, 9.0)


def test_two_stores_take_from_one_minute(store: Store, url: str) -> None:
    """4 + 4 of ten leave two, then nothing; another name has its own."""
    other, want = Store.open(url), {"ada": Want(4, 10)}
    assert [s.take_requests(want)["ada"].count for s in (store, other, store, other)] == [
        4,
        4,
        2,
        0,
    ]
    assert other.take_requests({"bob": Want(4, 10)})["bob"].count == 4
    other.close()


def test_what_was_taken_counts_for_a_minute_and_then_its_row_goes(store: Store, url: str) -> None:
    """Aged by 40 s it still counts, for some 20 s more; aged by 61 s it does not, and nothing of
    it is left."""
    want = {"ada": Want(10, 10)}
    store.take_requests(want)
    execute(url, "UPDATE quota_taken SET second = second - 40")
    refused = store.take_requests(want)["ada"]
    assert refused.count == 0
    # Counted from the beginning of its second: 61 - 40 s, less what has passed since.
    assert 0 < refused.wait_s <= COUNTS_S - 40
    execute(url, "UPDATE quota_taken SET second = second - 21")
    assert store.take_requests(want)["ada"].count == 10
    assert execute(url, "SELECT count(*) FROM quota_taken") == [(1,)]


def test_no_row_says_who_it_was(store: Store, url: str) -> None:
    """Neither a name nor an address, and of the time the second."""
    before = clock(url)
    store.take_requests({"address 192.0.2.7": Want(1, 10), "person ada": Want(2, 10)})
    rows = execute(url, "SELECT name, second, taken FROM quota_taken ORDER BY taken")
    assert [len(name) for name, _, _ in rows] == [32, 32]
    assert [taken for _, _, taken in rows] == [1, 2]
    assert all(int(before) <= second <= clock(url) for _, second, _ in rows)


def clock(url: str) -> float:
    engine = connect(url)
    with engine.connect() as connection:
        at = now(connection)
    engine.dispose()
    return at
