"""The counter table: the slots, who holds them, and when they become free.

    pk         slot   attributes
    "counter"  0      next_slot: the first number never assigned; and, while a number is being assigned,
                      "<lease_until> <any text>": the number
    "slots"    n      participant: the present or last holder; free_from: when it becomes free, as far as is known
                      here. A completed session keeps its slot, which has no free_from

The local index `FREE_SLOTS` lists the slots that have a `free_from`, in that order. Unlike a global index it
supports consistent reads, so that a slot is found as soon as it is free.

New numbers come from one counter with one write that cannot conflict. The number is reserved in the counter's item
until its session is stored. If a function dies in between, there is no gap: the next request that draws a number
after `lease_until` turns the reserved one into a free slot. Knows nothing of sessions.
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
"""Earlier than every time: free on every clock."""


@dataclass(frozen=True)
class FreeSlot:
    """A free slot as it was read; `participant` is its last holder, None if it never had one."""

    number: int
    participant: str | None
    free_from: str


class Slots:
    """The slots of one study."""

    def __init__(self, client: Any, table: str) -> None:
        self._table = Table(client, table, PK, SLOT)

    def free(self, now: str) -> list[FreeSlot]:
        """Slots that may be free now, lowest first. The holder's session has the current lease."""
        items = self._table.query(
            f"{PK} = :slots AND {FREE_FROM} <= :now", {":slots": _SLOTS, ":now": now}, index=FREE_SLOTS
        )
        slots = [FreeSlot(item[SLOT], item.get("participant"), item[FREE_FROM]) for item in items]
        return sorted(slots, key=lambda slot: slot.number)

    def draw(self, reservation: str, *, n_slots: int | None, now: str) -> int | None:
        """The next number, reserved under this name; None if all `n_slots` are assigned."""
        counter = self._table.update(
            _COUNTER,
            "SET #name = if_not_exists(next_slot, :zero), next_slot = if_not_exists(next_slot, :zero) + :one",
            {":zero": 0, ":one": 1, ":n_slots": sys.maxsize if n_slots is None else n_slots},
            condition="attribute_not_exists(#name) AND (attribute_not_exists(next_slot) OR next_slot < :n_slots)",
            names={"#name": reservation},
        )
        # A retried request, whose first answer was lost, finds the number that it drew before.
        counter = counter or self._table.get(*_COUNTER) or {}
        for name, number in counter.items():
            lapses_at, is_reservation, _ = name.partition(" ")
            if is_reservation and lapses_at <= now:
                self.put_back(name, number)
        return counter.get(reservation)

    def put_back(self, reservation: str, number: int) -> None:
        """Turn a drawn number into a free slot, unless it has become somebody's slot."""
        self._table.put_new({PK: _SLOTS, SLOT: number, FREE_FROM: _LONG_AGO})
        self.forget(reservation)

    def forget(self, reservation: str) -> None:
        """End a reservation whose number has become a slot."""
        self._table.update(
            _COUNTER, "REMOVE #name", {}, condition=f"attribute_exists({PK})", names={"#name": reservation}
        )

    def postpone(self, slot: FreeSlot, until: str) -> None:
        """Record that the holder's lease was renewed."""
        self._table.update(
            (_SLOTS, slot.number),
            f"SET {FREE_FROM} = :until",
            {":until": until, ":participant": slot.participant, ":seen": slot.free_from},
            condition=f"participant = :participant AND {FREE_FROM} = :seen",
        )

    def giving(self, number: int, participant: str, *, lease_until: str) -> Write:
        """Give a drawn number to its first holder."""
        item = {PK: _SLOTS, SLOT: number, "participant": participant, FREE_FROM: lease_until}
        return self._table.putting(item, is_new=True)

    def taking(self, slot: FreeSlot, participant: str, *, lease_until: str) -> Write:
        """Give a free slot to another participant, if it is unchanged since it was read."""
        is_same = "attribute_not_exists(participant)" if slot.participant is None else "participant = :before"
        before = {} if slot.participant is None else {":before": slot.participant}
        return self._table.updating(
            (_SLOTS, slot.number),
            f"SET participant = :participant, {FREE_FROM} = :until",
            {":participant": participant, ":until": lease_until, ":seen": slot.free_from, **before},
            condition=f"{is_same} AND {FREE_FROM} = :seen",
        )

    def handing_over(self, number: int, participant: str, *, fresh: str) -> Write:
        """Keep the slot for its holder under another pseudonym."""
        return self._of_holder(number, "SET participant = :fresh", {":fresh": fresh}, participant)

    def freeing(self, number: int, participant: str) -> Write:
        """Free the holder's slot."""
        return self._of_holder(number, f"SET {FREE_FROM} = :long_ago", {":long_ago": _LONG_AGO}, participant)

    def keeping(self, number: int, participant: str) -> Write:
        """Let the holder keep the slot permanently."""
        return self._of_holder(number, f"REMOVE {FREE_FROM}", {}, participant)

    def _of_holder(self, number: int, expression: str, values: dict[str, str], participant: str) -> Write:
        return self._table.updating(
            (_SLOTS, number),
            expression,
            {**values, ":participant": participant},
            condition="participant = :participant",
        )
