"""`SessionStore` in the cloud: sessions and trials in DynamoDB, e-mail addresses separately in a private bucket.

The session table; every request reads and writes by key:

    pk                                      sk                        attributes
    "participant <participant>"             "session"                 what `Session` has, and token_sha256, trials (the
                                                                      stored indices), n_problems, released_at
    "participant <participant>"             "trial <index>"           record: JSON
    "assignment [<platform>, <assignment>]" "-"                       participant: of the current session
    "person [<platform>, <worker>]"         "-"                       participant: the first one
    "token <sha256>"                        "-"                       participant; stays after it is replaced
    "study"                                 "-"                       sha256
    "sessions"                              "<time> <participant>"    participant; for the researcher's list
    "problems"                              "<time> <participant>"    participant, and what `Problem` has; likewise

The counter table is described in `slots`, the bucket has `emails/<participant>`. docs/cloud-costs.md says why
trials are not in the bucket.

A trial is stored once `trials` of its session lists its index. One write adds the indices of a batch after all of its
records, so a batch is stored completely or not at all. A decision that involves several items, such as who gets a slot,
is one transaction conditioned on the values read before; if a condition no longer holds, everything is read again.

The caller passes boto3 clients that retry requests without an answer: every write here may be made twice.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from functools import partial
from typing import Any, TypeVar

from lwise_core.aws_names import EMAILS
from lwise_core.errors import InputError
from lwise_core.sessions.errors import AlreadyTookPart, NotYours, StudyFull
from lwise_core.sessions.store import PlatformIds, Problem, Session
from lwise_core.sessions.stores.dynamodb.slots import FreeSlot, Slots
from lwise_core.sessions.stores.dynamodb.tables import Item, Table, Write, until_done, write_together
from lwise_core.wire_schema import EndState, ReleaseReason

PK, SK = "pk", "sk"

Key = tuple[str, str]
Record = TypeVar("Record", Session, PlatformIds, Problem)

_ONLY = "-"
_STUDY: Key = ("study", _ONLY)
_LISTED = "sessions"
_PROBLEMS = "problems"
_EMAILS = f"{EMAILS}/"
_RENEW_LEASE = "SET lease_until = if_not_exists(released_at, :lease_until)"
"""`released_at` exists once the platform has ended the lease, which is then not renewed."""


class DynamoStore:
    """Sessions in two tables and a bucket; safe to use from several threads, and by any number of functions at once."""

    def __init__(self, *, dynamodb: Any, s3: Any, session_table: str, counter_table: str, bucket: str) -> None:
        self._dynamodb = dynamodb
        self._s3 = s3
        self._table = Table(dynamodb, session_table, PK, SK)
        self._slots = Slots(dynamodb, counter_table)
        self._bucket = bucket

    def claim(self, study_sha256: str) -> None:
        claimed = self._table.get(*_STUDY)
        if claimed is None and not self._table.put_new({**_at(_STUDY), "sha256": study_sha256}):
            claimed = self._table.get(*_STUDY)
        if claimed is not None and claimed["sha256"] != study_sha256:
            raise InputError(
                f"table {self._table.name}: holds sessions of another version of this study "
                f"({claimed['sha256'][:12]}…, now {study_sha256[:12]}…); deploy it under another number"
            )

    def open_session(
        self,
        ids: PlatformIds,
        *,
        participant: str,
        token_sha256: str,
        slot: int | None,
        n_slots: int | None,
        may_repeat: bool,
        now: str,
        lease_until: str,
    ) -> Session:
        new = Session(participant, ids, slot or 0, slot is None, started_at=now, lease_until=lease_until)

        def attempt(number: int) -> Session | None:
            existing = self._item_of(ids.platform, ids.assignment_id)
            if existing is not None:
                if existing.get("worker_id") != ids.worker_id:
                    raise NotYours
                return self._reopen(existing["participant"], token_sha256, lease_until=lease_until)
            if not may_repeat and ids.worker_id is not None and self._table.get(*_person(ids)):
                raise AlreadyTookPart
            opening = partial(self._opening, token_sha256=token_sha256, may_repeat=may_repeat)
            if slot is None:
                return self._open_in_slot(new, opening, n_slots=n_slots, width=number + 1)
            return new if write_together(self._dynamodb, opening(new)) else None

        return until_done(attempt)

    def session_of(self, platform: str, assignment_id: str) -> Session | None:
        item = self._item_of(platform, assignment_id)
        return None if item is None else _session(item)

    def session_with_token(self, token_sha256: str) -> Session | None:
        token = self._table.get(*_token(token_sha256))
        item = None if token is None else self._item(token["participant"])
        return _session(item) if item is not None and item.get("token_sha256") == token_sha256 else None

    def add_trials(self, participant: str, records: Mapping[int, Mapping[str, Any]], *, lease_until: str) -> None:
        texts = {index: json.dumps(record, ensure_ascii=False, allow_nan=False) for index, record in records.items()}
        for index, text in texts.items():
            self._table.put_new({**_at(_trial(participant, index)), "record": text})
        self._table.update(
            _of(participant),
            f"{_RENEW_LEASE} ADD trials :indices",
            {":lease_until": lease_until, ":indices": set(texts)},
            condition="attribute_exists(pk)",
        )

    def renew_lease(self, participant: str, *, lease_until: str) -> None:
        self._table.update(
            _of(participant), _RENEW_LEASE, {":lease_until": lease_until}, condition="attribute_exists(pk)"
        )

    def release(self, platform: str, assignment_id: str, *, reason: ReleaseReason, now: str) -> bool:
        def attempt(_: int) -> bool | None:
            item = self._item_of(platform, assignment_id)
            if item is None or "outcome" in item:
                return False
            change = "SET lease_until = :now, released_at = :now, released = :reason"
            writes = [self._changing(item, change, {":now": now, ":reason": reason})]
            if item["holds_slot"]:
                writes.append(self._slots.freeing(item["slot"], item["participant"]))
            return write_together(self._dynamodb, writes) or None

        return until_done(attempt)

    def restart(self, participant: str, *, fresh: str, now: str) -> None:
        def attempt(_: int) -> bool | None:
            item = self._item(participant)
            if item is None or "outcome" in item:
                return False
            return write_together(self._dynamodb, self._restarting(item, fresh=fresh, now=now)) or None

        until_done(attempt)

    def trial_indices(self, participant: str) -> set[int]:
        return set((self._item(participant) or {}).get("trials", ()))

    def trials(self, participant: str) -> list[dict[str, Any]]:
        # The session item sorts first, so the records that it lists were written before it was read.
        items = self._table.query("pk = :pk", {":pk": _of(participant)[0]})
        stored = {_trial(participant, index)[1] for index in next(items, {}).get("trials", ())}
        return [json.loads(item["record"]) for item in items if item[SK] in stored]

    def trial_counts(self) -> dict[str, int]:
        return {item["participant"]: len(item["trials"]) for item in self._items() if "trials" in item}

    def add_problem(self, participant: str, problem: Problem, *, at_most: int) -> None:
        counted = self._table.update(
            _of(participant),
            "SET n_problems = if_not_exists(n_problems, :none) + :one",
            {":none": 0, ":one": 1, ":at_most": at_most},
            condition="attribute_exists(pk) AND (attribute_not_exists(n_problems) OR n_problems < :at_most)",
        )
        if counted is not None:
            key = _at((_PROBLEMS, _moment(problem.at, participant)))
            self._table.put_new({**key, "participant": participant, **asdict(problem)})

    def problems(self) -> list[tuple[str, Problem]]:
        items = self._table.query("pk = :problems", {":problems": _PROBLEMS})
        return [(item["participant"], _record(Problem, item)) for item in items]

    def store_email(self, participant: str, email: str) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=f"{_EMAILS}{participant}", Body=email.encode())

    def emails(self) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=_EMAILS)
        names = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return sorted(self._s3.get_object(Bucket=self._bucket, Key=name)["Body"].read().decode() for name in names)

    def end(self, participant: str, *, state: EndState, now: str) -> Session:
        def attempt(_: int) -> Session | None:
            item = self._table.get(*_of(participant))
            if item is None:
                raise KeyError(participant)
            if "outcome" in item:
                return _session(item)
            ending = {"outcome": state, "finished_at": now}
            change = "SET outcome = :outcome, finished_at = :finished_at"
            writes = [self._changing(item, change, {f":{name}": value for name, value in ending.items()})]
            if item["holds_slot"]:
                settling = self._slots.keeping if state == "completed" else self._slots.freeing
                writes.append(settling(item["slot"], participant))
            return _session(item | ending) if write_together(self._dynamodb, writes) else None

        return until_done(attempt)

    def sessions(self) -> list[Session]:
        return [_session(item) for item in self._items()]

    def _items(self) -> list[Item]:
        listed = self._table.query("pk = :sessions", {":sessions": _LISTED})
        return self._table.get_many(_of(entry["participant"]) for entry in listed)

    def _item(self, participant: str) -> Item | None:
        return self._table.get(*_of(participant))

    def _item_of(self, platform: str, assignment_id: str) -> Item | None:
        pointer = self._table.get(*_assignment(platform, assignment_id))
        return None if pointer is None else self._item(pointer["participant"])

    def _reopen(self, participant: str, token_sha256: str, *, lease_until: str) -> Session | None:
        """Give a session a new token; None if it was restarted meanwhile."""
        # The pointer is not valid until the session has the token; the session's former token is invalid from then on.
        self._table.put(_pointer(_token(token_sha256), participant))
        item = self._table.update(
            _of(participant),
            f"{_RENEW_LEASE}, token_sha256 = :token",
            {":lease_until": lease_until, ":token": token_sha256, ":restarted": "restarted"},
            condition="attribute_exists(pk) AND (attribute_not_exists(outcome) OR outcome <> :restarted)",
        )
        return None if item is None else _session(item)

    def _open_in_slot(
        self, new: Session, opening: Callable[[Session], list[Write]], *, n_slots: int | None, width: int
    ) -> Session | None:
        """Open a session in a free slot, else in the next new one; None after a conflict with another request."""
        participant, lease_until = new.participant, new.lease_until
        overdue = self._overdue(now=new.started_at, width=width)
        if overdue is not None:
            free, holder = overdue
            session = replace(new, slot=free.number)
            taking = [self._slots.taking(free, participant, lease_until=lease_until)]
            losing = [] if holder is None else [self._losing_slot(holder)]
            return session if write_together(self._dynamodb, [*taking, *losing, *opening(session)]) else None
        reservation = f"{lease_until} {secrets.token_hex(8)}"
        number = self._slots.draw(reservation, n_slots=n_slots, now=new.started_at)
        if number is None:
            raise StudyFull
        session = replace(new, slot=number)
        giving = self._slots.giving(number, participant, lease_until=lease_until)
        if write_together(self._dynamodb, [giving, *opening(session)]):
            self._slots.forget(reservation)
            return session
        self._slots.put_back(reservation, number)
        return None

    def _overdue(self, *, now: str, width: int) -> tuple[FreeSlot, Item | None] | None:
        """The lowest free slot and the session of its holder; after conflicts, a random one of the `width` lowest."""
        slots = self._slots.free(now)
        while slots:
            slot = random.choice(slots[:width])  # noqa: S311 - no secret
            holder = None if slot.participant is None else self._item(slot.participant)
            if holder is None or "outcome" in holder or holder["lease_until"] <= now:
                return slot, holder
            self._slots.postpone(slot, holder["lease_until"])
            slots.remove(slot)
        return None

    def _opening(self, session: Session, *, token_sha256: str, may_repeat: bool) -> list[Write]:
        """Store a new session, unless its assignment has one, or its person has one and not `may_repeat`."""
        participant, ids = session.participant, session.ids
        attributes = {name: value for name, value in vars(session).items() if name not in ("ids", "state")}
        item = {**_at(_of(participant)), **attributes, **vars(ids), "token_sha256": token_sha256}
        pointers = [
            self._table.putting(_pointer(_assignment(ids.platform, ids.assignment_id), participant), is_new=True),
            self._table.putting(_pointer(_token(token_sha256), participant), is_new=False),
            self._table.putting(_pointer(_listed(session.started_at, participant), participant), is_new=True),
        ]
        if ids.worker_id is not None:
            pointers.append(self._table.putting(_pointer(_person(ids), participant), is_new=not may_repeat))
        return [self._table.putting(item, is_new=True), *pointers]

    def _restarting(self, item: Item, *, fresh: str, now: str) -> list[Write]:
        """Restart a session under a fresh pseudonym and point everything that leads to it there."""
        participant = item["participant"]
        successor = {name: value for name, value in item.items() if name not in ("trials", "n_problems")}
        successor |= {**_at(_of(fresh)), "participant": fresh, "started_at": now}
        writes = [
            self._changing(
                item,
                "SET outcome = :restarted, finished_at = :now, holds_slot = :no REMOVE token_sha256",
                {":restarted": "restarted", ":now": now, ":no": False},
            ),
            self._table.putting(successor, is_new=True),
            self._table.putting(_pointer(_assignment(item["platform"], item["assignment_id"]), fresh), is_new=False),
            self._table.putting(_pointer(_token(item["token_sha256"]), fresh), is_new=False),
            self._table.putting(_pointer(_listed(now, fresh), fresh), is_new=True),
        ]
        if item["holds_slot"]:
            writes.append(self._slots.handing_over(item["slot"], participant, fresh=fresh))
        return writes

    def _changing(self, item: Item, change: str, values: Item) -> Write:
        """Change a session under way, if it is still as it was read."""
        read = {":held": item["holds_slot"], ":leased": item["lease_until"], ":token": item["token_sha256"]}
        return self._table.updating(
            _of(item["participant"]),
            change,
            values | read,
            condition="attribute_not_exists(outcome) AND holds_slot = :held AND lease_until = :leased"
            " AND token_sha256 = :token",
        )

    def _losing_slot(self, holder: Item) -> Write:
        """Take the slot from its holder, unless the lease was renewed meanwhile."""
        return self._table.updating(
            _of(holder["participant"]),
            "SET holds_slot = :no",
            {":no": False, ":leased": holder["lease_until"]},
            condition="lease_until = :leased",
        )


def _session(item: Item) -> Session:
    return _record(Session, item | {"ids": _record(PlatformIds, item), "state": item.get("outcome", "started")})


def _record(kind: type[Record], item: Item) -> Record:
    """A dataclass from the attributes with its fields' names; None where one is absent."""
    return kind(**{field.name: item.get(field.name) for field in fields(kind)})  # type: ignore[arg-type]


def _at(key: Key) -> Item:
    return dict(zip((PK, SK), key, strict=True))


def _pointer(key: Key, participant: str) -> Item:
    return {**_at(key), "participant": participant}


def _of(participant: str) -> Key:
    return f"participant {participant}", "session"


def _trial(participant: str, index: int) -> Key:
    return f"participant {participant}", f"trial {index:06d}"


def _assignment(platform: str, assignment_id: str) -> Key:
    # As a JSON list, so that different pairs of ids give different keys.
    return f"assignment {_list(platform, assignment_id)}", _ONLY


def _person(ids: PlatformIds) -> Key:
    return f"person {_list(ids.platform, ids.worker_id)}", _ONLY


def _list(*texts: str | None) -> str:
    return json.dumps(texts, ensure_ascii=False)


def _token(token_sha256: str) -> Key:
    return f"token {token_sha256}", _ONLY


def _listed(started_at: str, participant: str) -> Key:
    return _LISTED, _moment(started_at, participant)


def _moment(time_: str, participant: str) -> str:
    # Items with the same time are ordered by when they were written.
    return f"{time_} {time.time_ns():020d} {participant}"
