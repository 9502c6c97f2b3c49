"""Download all sessions of a deployed study and their trials in parallel, to one file per participant.

Stored trials never change, so an interrupted download resumes and reads only sessions that have new trials.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from lwise_core import atomic_files
from lwise_core.cloud.aws_client import N_PARALLEL, client, explain_aws_errors
from lwise_core.cloud.deployed import Tables
from lwise_core.errors import InputError
from lwise_core.sessions.store import Session
from lwise_core.sessions.stores.dynamodb.store import DynamoStore


class Snapshot(DynamoStore):
    """A store that reads all sessions and trials when it is opened, and nothing afterwards.

    Of a running session it has exactly the trials that the session listed when it was read.
    """

    def __init__(self, tables: Tables, folder: Path, *, on_progress: Callable[[int, int], None]) -> None:
        """
        Parameters
        ----------
        folder : for the downloaded files.
        on_progress : called with the number of sessions read and their total.

        Raises
        ------
        InputError
            If AWS cannot be asked, or lacks a trial that a session lists.
        """
        self._folder = folder
        with explain_aws_errors(f"table {tables.session_table}"):
            super().__init__(dynamodb=client("dynamodb"), s3=client("s3"), **vars(tables))
            self._listed = super().sessions()
            self._indices: dict[str, set[int]] = {}
            with ThreadPoolExecutor(N_PARALLEL) as readers:
                reading = {readers.submit(self._read, one.participant): one.participant for one in self._listed}
                try:
                    for done, read in enumerate(as_completed(reading), start=1):
                        self._indices[reading[read]] = read.result()
                        on_progress(done, len(reading))
                except BaseException:
                    readers.shutdown(cancel_futures=True)
                    raise

    def sessions(self) -> list[Session]:
        return self._listed

    def trial_indices(self, participant: str) -> set[int]:
        return self._indices[participant]

    def trials(self, participant: str) -> list[dict[str, Any]]:
        return [record for record in self._in_file(participant) if record["obs"] in self._indices[participant]]

    def _read(self, participant: str) -> set[int]:
        """Save every trial that the session lists now; returns their indices."""
        listed = super().trial_indices(participant)
        if listed <= _indices(self._in_file(participant)):
            return listed
        records = super().trials(participant)
        if missing := listed - _indices(records):
            raise InputError(
                f"table {self._table.name}: lacks {len(missing)} of the {len(listed)} trials of participant "
                f"{participant}; restore it to an earlier time (point-in-time recovery)"
            )
        atomic_files.write_text(self._path(participant), json.dumps(records, ensure_ascii=False))
        return listed

    def _in_file(self, participant: str) -> list[dict[str, Any]]:
        path = self._path(participant)
        records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        return records

    def _path(self, participant: str) -> Path:
        return self._folder / f"{participant}.json"


def _indices(records: list[dict[str, Any]]) -> set[int]:
    return {record["obs"] for record in records}
