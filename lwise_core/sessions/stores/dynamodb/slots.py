"""The counter table: which slots there are, who has them, and from when on another may have them.

    pk         slot   attributes
    "counter"  0      next_slot: the first number that was never given out; and, for as long as one is being given out,
                      "<lease_until> <any text>": the number
    "slots"    n      participant: who has it, or had it last; free_from: the moment from which it may be somebody
                      else's, as far as is known here. Whoever completes keeps a slot for ever, and it has no free_from

The local index `FREE_SLOTS` lists the slots that have a `free_from`, in the order of those moments; other than a global
index it can be read consistently, so that a slot is found as soon as it is free.

New numbers come from one counter by one write, which fails for nobody in a crowd. The number stands in the counter's
item until the session that it was for is kept: a function that dies in between leaves no gap, since whoever draws a
number after `lease_until` makes a free slot of it. Knows nothing of what a session is.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from lwise_core.sessions.stores.dynamodb.tables import Table, Write

PK, SLOT = "pk", "slot"
FREE_FROM = "free_from"
FREE_SLOTS = "free_slots"

_SLOTS = "slots"
_COUNTER = ("counter", 0)
_LONG_AGO = "0"
"""A moment before all others: free, whatever the clocks of others say."""


@dataclass(frozen=True)
class FreeSlot:
    """A slot that another may have, as it was found; `participant` is who had it, None if nobody ever had."""

    number: int
    participant: str | None
    free_from: str


class Slots:
    """The slots of one study."""

    def __init__(self, client: Any, table: str) -> None:
        self._table = Table(client, table, PK, SLOT)

    def free(self, now: str) -> list[FreeSlot]:
        """Slots that may be free now, lowest first. The holder's session knows whether its lease was renewed."""
        found = self._table.query(
            f"{PK} = :slots AND {FREE_FROM} <= :now", {":slots": _SLOTS, ":now": now}, index=FREE_SLOTS
        )
        slots = [FreeSlot(item[SLOT], item.get("participant"), item[FREE_FROM]) for item in found]
        return sorted(slots, key=lambda slot: slot.number)

    def draw(self, reservation: str, *, n_slots: int | None, now: str) -> int | None:
        """The next number, reserved under this name; None if all `n_slots` are given out."""
        counter = self._table.update(
            _COUNTER,
            "SET #name = if_not_exists(next_slot, :zero), next_slot = if_not_exists(next_slot, :zero) + :one",
            {":zero": 0, ":one": 1, ":n_slots": sys.maxsize if n_slots is None else n_slots},
            condition="attribute_not_exists(#name) AND (attribute_not_exists(next_slot) OR next_slot < :n_slots)",
            names={"#name": reservation},
        )
        # A request that was sent again, because its answer got lost, finds the number that was drawn the first time.
        counter = counter or self._table.get(*_COUNTER) or {}
        for name, number in counter.items():
            lapses_at, is_reservation, _ = name.partition(" ")
            if is_reservation and lapses_at <= now:
                self.put_back(name, number)
        return counter.get(reservation)

    def put_back(self, reservation: str, number: int) -> None:
        """Let anybody have a number that was drawn, unless it has become somebody's slot."""
        self._table.put_new({PK: _SLOTS, SLOT: number, FREE_FROM: _LONG_AGO})
        self.forget(reservation)

    def forget(self, reservation: str) -> None:
        """End a reservation whose number has become a slot."""
        self._table.update(
            _COUNTER, "REMOVE #name", {}, condition=f"attribute_exists({PK})", names={"#name": reservation}
        )

    def postpone(self, slot: FreeSlot, until: str) -> None:
        """Take note that a holder's lease was renewed."""
        self._table.update(
            (_SLOTS, slot.number),
            f"SET {FREE_FROM} = :until",
            {":until": until, ":participant": slot.participant, ":seen": slot.free_from},
            condition=f"participant = :participant AND {FREE_FROM} = :seen",
        )

    def giving(self, number: int, participant: str, *, lease_until: str) -> Write:
        """To give a number that was drawn to its first holder."""
        item = {PK: _SLOTS, SLOT: number, "participant": participant, FREE_FROM: lease_until}
        return self._table.putting(item, is_new=True)

    def taking(self, slot: FreeSlot, participant: str, *, lease_until: str) -> Write:
        """To give a free slot to another, if nothing has happened to it since it was found."""
        is_same = "attribute_not_exists(participant)" if slot.participant is None else "participant = :before"
        before = {} if slot.participant is None else {":before": slot.participant}
        return self._table.updating(
            (_SLOTS, slot.number),
            f"SET participant = :participant, {FREE_FROM} = :until",
            {":participant": participant, ":until": lease_until, ":seen": slot.free_from, **before},
            condition=f"{is_same} AND {FREE_FROM} = :seen",
        )

    def handing_over(self, number: int, participant: str, *, fresh: str) -> Write:
        """To let the holder go on under another pseudonym."""
        return self._of_holder(number, "SET participant = :fresh", {":fresh": fresh}, participant)

    def freeing(self, number: int, participant: str) -> Write:
        """To let anybody have the holder's slot."""
        return self._of_holder(number, f"SET {FREE_FROM} = :long_ago", {":long_ago": _LONG_AGO}, participant)

    def keeping(self, number: int, participant: str) -> Write:
        """To let the holder keep the slot for ever."""
        return self._of_holder(number, f"REMOVE {FREE_FROM}", {}, participant)

    def _of_holder(self, number: int, expression: str, values: dict[str, str], participant: str) -> Write:
        return self._table.updating(
            (_SLOTS, number),
            expression,
            {**values, ":participant": participant},
            condition="participant = :participant",
        )
