"""What goes from process to process, over torch.distributed: gloo, and NCCL between GPUs.

1. Values are pickled from one process to another of the same round, never into a file. Tensors go
   by way of the CPU, each without the storage that it may be a view of.
2. Before gradients go over NCCL all ranks meet over gloo: a rank that has left is noticed there, at
   once, where NCCL would wait for it.
3. A process that dies closes its connections, and every call of the others fails; one that hangs is
   waited for, SILENCE long.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import Store

from learner.ranks.group import RankLost

SILENCE = timedelta(minutes=15)
"""That a rank may take from one meeting to the next: rank 0 writes and hashes a version meanwhile.
"""

BUCKET = 2**23
"""Numbers of gradients that go at once."""


class Wire:
    """Of this process, as `rank` of `size`, which meet in `store`."""

    def __init__(self, store: Store, rank: int, size: int, device: str) -> None:
        """Wait for all; raises RankLost."""
        self.rank = rank
        self.size = size
        self.on_gpu = device.startswith("cuda")
        backend = "cpu:gloo,cuda:nccl" if self.on_gpu else "gloo"
        with lost():
            dist.init_process_group(
                backend, store=store, rank=rank, world_size=size, timeout=SILENCE
            )

    def close(self) -> None:
        """Leave: whoever waits for this rank waits no longer."""
        dist.destroy_process_group()

    def told(self, value: Any) -> Any:
        """Rank 0's value."""
        box = [_packed(value) if self.rank == 0 else b""]
        with lost():
            dist.broadcast_object_list(box, src=0)
        return value if self.rank == 0 else pickle.loads(box[0])

    def gathered(self, value: Any) -> list[Any]:
        """Every rank's value, in their order."""
        boxes: list[bytes] = [b""] * self.size
        with lost():
            dist.all_gather_object(boxes, _packed(value))
        return [pickle.loads(box) for box in boxes]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor the sum of all ranks', in place and the same bits on each."""
        if self.on_gpu:
            self.gathered(None)
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.flatten() for tensor in bucket])
            with lost():
                dist.all_reduce(flat)
            parts = torch.split(flat, [tensor.numel() for tensor in bucket])
            for tensor, part in zip(bucket, parts, strict=True):
                tensor.copy_(part.view_as(tensor))


@contextmanager
def lost() -> Iterator[None]:
    """What torch.distributed says of a rank that is not there, as RankLost; a pass of a net whose
    weights are shared out says it too.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error).lower():
            raise RankLost(str(error)) from error
        raise


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Of about BUCKET numbers, of one kind each."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and (tensor.dtype, tensor.device) != (bucket[0].dtype, bucket[0].device):
            yield bucket
            bucket = []
        bucket.append(tensor)
        if sum(one.numel() for one in bucket) >= BUCKET:
            yield bucket
            bucket = []
    if bucket:
        yield bucket


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor):
            own = obj.detach().cpu().clone()
            return own.__reduce_ex__(pickle.HIGHEST_PROTOCOL)  # type: ignore[no-untyped-call]
        return NotImplemented


def _packed(value: Any) -> bytes:
    box = io.BytesIO()
    _Pickler(box).dump(value)
    return box.getvalue()
