"""The decoding process's end of the socket: orders in, reports out."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Sequence

from .orders import Frames, Order, Report, Stop, framed

CHUNK = 65536


class Post:
    """Reads on one thread; any may send."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._frames = Frames()
        self._sending = threading.Lock()

    def orders(self, wait_s: float) -> Sequence[Order]:
        """What has come, after waiting so long for the first; Stop if there is nobody left who
        could send more."""
        orders: list[Order] = []
        while select.select([self._end], [], [], 0 if orders else wait_s)[0]:
            data = self._end.recv(CHUNK)
            if not data:
                return [*orders, Stop()]
            orders += self._frames.feed(data)
        return orders

    def send(self, report: Report) -> None:
        """Waits while the other end is slow to read; says nothing if it is gone."""
        try:
            with self._sending:
                self._end.sendall(framed(report))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the next look for orders finds it out
