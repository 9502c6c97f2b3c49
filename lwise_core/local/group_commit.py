"""Calls that come at the same time are kept by one transaction: they wait for the disk together, not one by one.

While one batch is under way, all that comes waits and is the next: a slow disk makes batches larger, not queues longer.
One thread makes the calls, because several would spend their time handing the interpreter to each other. Knows nothing
of what is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_Call = Callable[[], Any]
_Outcome = tuple[Any, Exception | None]
"""What a call returned, or what it raised."""


class SharedCommit:
    """Makes calls within `transaction`, whose end commits what they have written. For use in one event loop.

    A call that raises must leave no trace by itself: the transaction goes on for the others.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[object]]) -> None:
        self._transaction = transaction
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shared-commit")
        self._waiting: list[tuple[_Call, asyncio.Future[_Outcome]]] = []
        self._batches: asyncio.Task[None] | None = None

    async def run(
        self, call: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> Result:
        """What the call returns or raises, once it is committed; if that fails, its exception."""
        told: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((partial(call, *arguments, **named), told))
        if self._batches is None:
            self._batches = asyncio.create_task(self._make_batches())
        result, error = await told
        if error is not None:
            raise error
        return cast(Result, result)

    async def _make_batches(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            calls = [call for call, _ in batch]
            outcomes = await asyncio.get_running_loop().run_in_executor(self._thread, self._make, calls)
            for (_, told), outcome in zip(batch, outcomes, strict=True):
                if not told.cancelled():
                    told.set_result(outcome)
        self._batches = None

    def _make(self, calls: Sequence[_Call]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            with self._transaction():
                outcomes += map(_outcome, calls)
        except Exception as error:
            # Nothing is kept. A refusal does not hold either: it may rest on what a neighbour has written.
            return [(None, error)] * len(calls)
        return outcomes


def _outcome(call: _Call) -> _Outcome:
    try:
        return call(), None
    except Exception as error:
        return None, error
