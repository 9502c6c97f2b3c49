"""DynamoDB with Python values: tables, transactions, and retries after conflicts.

Knows nothing of sessions. The caller passes the client, so that only the standard library is imported here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Item = dict[str, Any]
"""Attribute -> text, whole number, flag, or set of whole numbers. None is not stored."""

Write = dict[str, dict[str, Any]]
"""One write as part of a transaction."""

Result = TypeVar("Result")

_ATTEMPTS = 30
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5
_KEYS_PER_BATCH = 100
_CONFLICTS = frozenset({"None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"})
"""Reasons of a cancelled transaction that may be retried after reading again."""


def until_done(attempt: Callable[[int], Result | None]) -> Result:
    """The first result of `attempt` that is not None. Its argument is the number of earlier calls.

    Raises
    ------
    TimeoutError
        After 30 attempts, about seven seconds.
    """
    for number in range(_ATTEMPTS):
        if (result := attempt(number)) is not None:
            return result
        # A random pause, so that two requests do not collide again.
        time.sleep(random.uniform(0, min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2**number)))  # noqa: S311 - no secret
    raise TimeoutError(f"{_ATTEMPTS} attempts conflicted with other requests")


@dataclass(frozen=True)
class Table:
    """A table with the key `hash_key` and `range_key`. Reads are consistent."""

    client: Any
    name: str
    hash_key: str
    range_key: str

    def get(self, hash_value: str, range_value: str | int) -> Item | None:
        """The item; None if there is none."""
        key = self._key(hash_value, range_value)
        item = self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else _decoded(item)

    def get_many(self, keys: Iterable[tuple[str, str | int]]) -> list[Item]:
        """The existing items, in the order of their keys."""
        ordered = list(keys)
        items: dict[tuple[Any, ...], Item] = {}
        for first in range(0, len(ordered), _KEYS_PER_BATCH):
            request = {"Keys": [self._key(*key) for key in ordered[first : first + _KEYS_PER_BATCH]]}
            waiting = {self.name: request | {"ConsistentRead": True}}
            while waiting:
                answer = self.client.batch_get_item(RequestItems=waiting)
                for item in map(_decoded, answer["Responses"][self.name]):
                    items[item[self.hash_key], item[self.range_key]] = item
                waiting = answer["UnprocessedKeys"]
        return [items[key] for key in ordered if key in items]

    def query(self, condition: str, values: Item, *, index: str | None = None) -> Iterator[Item]:
        """Items of one hash key, in the order of the range key, or of the index's."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=_encoded(values),
            ConsistentRead=True,
            **({} if index is None else {"IndexName": index}),
        )
        return (_decoded(item) for page in pages for item in page["Items"])

    def put(self, item: Item) -> None:
        """Store an item; it replaces one with the same key."""
        self.client.put_item(**self.putting(item, is_new=False)["Put"])

    def put_new(self, item: Item) -> bool:
        """Store an item, unless there is one with its key; whether it was stored."""
        try:
            self.client.put_item(**self.putting(item, is_new=True)["Put"])
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def update(
        self,
        key: tuple[str, str | int],
        expression: str,
        values: Item,
        *,
        condition: str,
        names: Mapping[str, str] | None = None,
    ) -> Item | None:
        """Change an item; returns the new item, or None if the condition does not hold."""
        write = self.updating(key, expression, values, condition=condition)["Update"]
        if names is not None:
            write["ExpressionAttributeNames"] = names
        try:
            return _decoded(self.client.update_item(**write, ReturnValues="ALL_NEW")["Attributes"])
        except self.client.exceptions.ConditionalCheckFailedException:
            return None

    def putting(self, item: Item, *, is_new: bool) -> Write:
        """Store an item; with `is_new`, only if there is none with its key."""
        condition = {"ConditionExpression": f"attribute_not_exists({self.hash_key})"} if is_new else {}
        return {"Put": {"TableName": self.name, "Item": _encoded(item), **condition}}

    def updating(self, key: tuple[str, str | int], expression: str, values: Item, *, condition: str) -> Write:
        """Change an item if a condition holds."""
        change = {
            "TableName": self.name,
            "Key": self._key(*key),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
        }
        # DynamoDB rejects an empty mapping.
        return {"Update": change | ({"ExpressionAttributeValues": _encoded(values)} if values else {})}

    def _key(self, hash_value: str, range_value: str | int) -> dict[str, Any]:
        return _encoded({self.hash_key: hash_value, self.range_key: range_value})


def write_together(client: Any, writes: Collection[Write]) -> bool:
    """Make all writes or none; false if a condition does not hold, or another write is in progress there."""
    try:
        client.transact_write_items(TransactItems=list(writes))
    except client.exceptions.TransactionCanceledException as error:
        if {reason["Code"] for reason in error.response["CancellationReasons"]} <= _CONFLICTS:
            return False
        raise
    return True


def _encoded(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _encoded_value(value) for name, value in item.items() if value is not None}


def _encoded_value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case _:
            return {"NS": [str(number) for number in value]}


def _decoded(item: Mapping[str, Mapping[str, Any]]) -> Item:
    return {name: _decoded_value(*next(iter(typed.items()))) for name, typed in item.items()}


def _decoded_value(kind: str, value: Any) -> Any:
    match kind:
        case "N":
            return int(value)
        case "NS":
            return {int(number) for number in value}
        case _:
            return value
