"""Ctrl-C and SIGTERM as a request to stop, which a training answers between two batches by saving its state."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """The signal that asked to stop; 0 if none did."""

    def __init__(self) -> None:
        self.signal = 0


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Record the first signal as a request; a second Ctrl-C ends the process at once.

    A second SIGTERM does not, since the machine, a shell and `torchrun` may all send one at the same time.
    """
    request = StopRequest()
    previous = {number: signal.getsignal(number) for number in _SIGNALS}

    def record(number: int, _: FrameType | None) -> None:
        request.signal = request.signal or number
        signal.signal(signal.SIGINT, previous[signal.SIGINT])

    for number in _SIGNALS:
        signal.signal(number, record)
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
