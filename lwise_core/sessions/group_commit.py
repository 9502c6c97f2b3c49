"""Writing from several threads on one connection: those who come at the same time wait for the disk together.

Whoever finds nobody waiting leads the next group: it waits until the group before is on the disk, takes in all who have
come meanwhile, runs their operations one after the other in one transaction, and commits. Nobody hears how an operation
went before that commit has returned. Knows nothing of what is written.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

Result = TypeVar("Result")
Operation = Callable[[sqlite3.Connection], Result]
_Member = tuple[Operation[Any], "Future[Any]"]


class GroupCommit:
    """The one writer of `connection`, which must not begin transactions by itself (`isolation_level=None`)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._joining = threading.Lock()
        self._committing = threading.Lock()
        self._group: list[_Member] = []

    def run(self, operation: Operation[Result]) -> Result:
        """What the operation returns, when all that it wrote is on the disk.

        If the operation raises, nothing of it is kept, and the others of its group are unharmed. If SQLite gives the
        transaction up, or fails to commit it, nothing of the whole group is kept, and everyone in it is told so.
        """
        outcome: Future[Result] = Future()
        with self._joining:
            self._group.append((operation, outcome))
            leads = len(self._group) == 1
        if leads:
            with self._committing:
                with self._joining:
                    group, self._group = self._group, []
                self._commit(group)
        return outcome.result()

    def _commit(self, group: Sequence[_Member]) -> None:
        try:
            # Among processes, only one may write from here on.
            self._connection.execute("BEGIN IMMEDIATE")
            settled = [self._attempt(*member) for member in group]
            self._connection.execute("COMMIT")
        except BaseException as error:
            for _, outcome in group:
                outcome.set_exception(error)
            # On a full disk SQLite may have rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        else:
            for settle in settled:
                settle()

    def _attempt(self, operation: Operation[Any], outcome: Future[Any]) -> Callable[[], None]:
        """Run an operation within the transaction; returns how its caller is to be told, once that is committed."""
        self._connection.execute("SAVEPOINT operation")
        settle: Callable[[], None]
        try:
            settle = partial(outcome.set_result, operation(self._connection))
        except Exception as error:
            if not self._connection.in_transaction:
                # SQLite has undone what the others wrote, too.
                raise
            self._connection.execute("ROLLBACK TO operation")
            settle = partial(outcome.set_exception, error)
        self._connection.execute("RELEASE operation")
        return settle
