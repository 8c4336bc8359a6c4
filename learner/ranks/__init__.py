"""Several processes that run one round: what each of them is, and what they do together.

    group.py      the words in which a stage says what is shared out; light, and alone by default
    wire.py       what goes from process to process, by torch.distributed
    sharding.py   full weights in parts, while they are trained
    shared.py     the database, of which rank 0 alone has any
    crew.py       the other processes of a round, started by the learner or by torchrun
    following.py  what those do

Every process runs the same round on the same rows with the same random numbers. They share out what
takes long (replies, scores, gradients), and what came of it is everybody's before anything depends
on it: so all hold the same weights at every step, and none asks which one it is.
"""

from learner.ranks.group import (
    RankLost,
    added_up,
    all_of,
    dealt,
    evenly,
    first,
    in_one,
    on_first,
    rank,
    shared_out,
    size,
    total,
)

__all__ = [
    "RankLost",
    "added_up",
    "all_of",
    "dealt",
    "evenly",
    "first",
    "in_one",
    "on_first",
    "rank",
    "shared_out",
    "size",
    "total",
]
