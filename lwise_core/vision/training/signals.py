"""A request to stop, by Ctrl-C or SIGTERM, that a training heeds between two batches, its state saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Which signal asked to stop; 0: none did."""

    def __init__(self) -> None:
        self.signal = 0


@contextmanager
def listening_for_stop() -> Iterator[StopRequest]:
    """Take the first signal as a request; a Ctrl-C after it ends the process at once, as ever.

    SIGTERM stays a request, since several may send it at the same time: the machine, a shell, `torchrun`.
    """
    request = StopRequest()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def take(number: int, _: FrameType | None) -> None:
        request.signal = request.signal or number
        signal.signal(signal.SIGINT, before[signal.SIGINT])

    for number in _SIGNALS:
        signal.signal(number, take)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
