"""DynamoDB in Python's values: tables, writes that are made together, and trying again where others got in the way.

Knows nothing of sessions. The client comes from outside, so that nothing but the standard library is imported here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Item = dict[str, Any]
"""Attribute -> text, whole number, flag, or set of whole numbers. None is left out, and absent when it is read."""

Write = dict[str, dict[str, Any]]
"""One write as part of a transaction."""

Result = TypeVar("Result")

_ATTEMPTS = 30
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5
_KEYS_PER_BATCH = 100
_IN_THE_WAY = frozenset({"None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"})
"""Why a transaction is given up that may be tried again after a new look."""


def until_done(attempt: Callable[[int], Result | None]) -> Result:
    """What `attempt` returns as soon as that is not None; it is told how many times it was called before.

    Raises
    ------
    TimeoutError
        After 30 times, some seven seconds.
    """
    for number in range(_ATTEMPTS):
        if (result := attempt(number)) is not None:
            return result
        # Of random length: who met once shall not meet again.
        time.sleep(random.uniform(0, min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2**number)))  # noqa: S311 - no secret
    raise TimeoutError(f"others got in the way {_ATTEMPTS} times")


@dataclass(frozen=True)
class Table:
    """A table with the key `hash_key` and `range_key`. Every read sees all that was written before."""

    client: Any
    name: str
    hash_key: str
    range_key: str

    def get(self, hash_value: str, range_value: str | int) -> Item | None:
        """The item, if there is one."""
        key = self._key(hash_value, range_value)
        found = self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")
        return None if found is None else _decoded(found)

    def get_many(self, keys: Iterable[tuple[str, str | int]]) -> list[Item]:
        """The items that there are, in the order of their keys."""
        ordered = list(keys)
        found: dict[tuple[Any, ...], Item] = {}
        for first in range(0, len(ordered), _KEYS_PER_BATCH):
            asked = {"Keys": [self._key(*key) for key in ordered[first : first + _KEYS_PER_BATCH]]}
            waiting = {self.name: asked | {"ConsistentRead": True}}
            while waiting:
                answer = self.client.batch_get_item(RequestItems=waiting)
                for item in map(_decoded, answer["Responses"][self.name]):
                    found[item[self.hash_key], item[self.range_key]] = item
                waiting = answer["UnprocessedKeys"]
        return [found[key] for key in ordered if key in found]

    def query(self, condition: str, values: Item, *, index: str | None = None) -> Iterator[Item]:
        """Items of one hash key, in the order of the range key (or that of the index)."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=_encoded(values),
            ConsistentRead=True,
            **({} if index is None else {"IndexName": index}),
        )
        return (_decoded(item) for page in pages for item in page["Items"])

    def put(self, item: Item) -> None:
        """Keep an item, in the place of one with its key."""
        self.client.put_item(**self.putting(item, is_new=False)["Put"])

    def put_new(self, item: Item) -> bool:
        """Keep an item, unless there is one with its key; says which."""
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
        """Change an item; returns it as it is now, or None if the condition does not hold."""
        write = self.updating(key, expression, values, condition=condition)["Update"]
        if names is not None:
            write["ExpressionAttributeNames"] = names
        try:
            return _decoded(self.client.update_item(**write, ReturnValues="ALL_NEW")["Attributes"])
        except self.client.exceptions.ConditionalCheckFailedException:
            return None

    def putting(self, item: Item, *, is_new: bool) -> Write:
        """To keep an item; if it is to be new, only if there is none with its key."""
        condition = {"ConditionExpression": f"attribute_not_exists({self.hash_key})"} if is_new else {}
        return {"Put": {"TableName": self.name, "Item": _encoded(item), **condition}}

    def updating(self, key: tuple[str, str | int], expression: str, values: Item, *, condition: str) -> Write:
        """To change an item if a condition holds."""
        change = {
            "TableName": self.name,
            "Key": self._key(*key),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
        }
        # DynamoDB takes no empty mapping.
        return {"Update": change | ({"ExpressionAttributeValues": _encoded(values)} if values else {})}

    def _key(self, hash_value: str, range_value: str | int) -> dict[str, Any]:
        return _encoded({self.hash_key: hash_value, self.range_key: range_value})


def write_together(client: Any, writes: Collection[Write]) -> bool:
    """Make all writes or none; false if a condition does not hold (any more), or somebody else writes there now."""
    try:
        client.transact_write_items(TransactItems=list(writes))
    except client.exceptions.TransactionCanceledException as error:
        if {reason["Code"] for reason in error.response["CancellationReasons"]} <= _IN_THE_WAY:
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
