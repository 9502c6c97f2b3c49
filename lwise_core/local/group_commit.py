"""Group commit: concurrent calls share one transaction, so that they wait for the disk together.

Calls that arrive during a batch form the next one: a slow disk makes batches larger, not queues longer. One thread
makes the calls, because several would contend for the interpreter lock. Knows nothing of the calls.
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
    """Makes calls within `transaction`, which commits their writes when it ends. For use in one event loop.

    A call that raises must undo its own writes: the transaction continues for the others.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[object]]) -> None:
        self._transaction = transaction
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shared-commit")
        self._waiting: list[tuple[_Call, asyncio.Future[_Outcome]]] = []
        self._batches: asyncio.Task[None] | None = None

    async def run(
        self, call: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> Result:
        """Return or raise what the call does, once its batch is committed; raise if the commit fails."""
        future: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((partial(call, *arguments, **named), future))
        if self._batches is None:
            self._batches = asyncio.create_task(self._make_batches())
        result, error = await future
        if error is not None:
            raise error
        return cast(Result, result)

    async def _make_batches(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            calls = [call for call, _ in batch]
            outcomes = await asyncio.get_running_loop().run_in_executor(self._thread, self._make, calls)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if not future.cancelled():
                    future.set_result(outcome)
        self._batches = None

    def _make(self, calls: Sequence[_Call]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            with self._transaction():
                outcomes += map(_outcome, calls)
        except Exception as error:
            # Nothing is stored. Rejections are void, too: they may depend on what another call has written.
            return [(None, error)] * len(calls)
        return outcomes


def _outcome(call: _Call) -> _Outcome:
    try:
        return call(), None
    except Exception as error:
        return None, error
