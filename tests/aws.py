"""A stand-in for AWS: moto's server in this process, clients of it, and the tables and the bucket of a store."""

from __future__ import annotations

import copy
import itertools
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import boto3
from botocore.config import Config
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from moto.server import ThreadedMotoServer

from lwise_core.sessions.stores.dynamodb.slots import FREE_FROM, FREE_SLOTS, SLOT
from lwise_core.sessions.stores.dynamodb.store import PK, SK, DynamoStore

REGION = "us-east-1"
CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
_MANY_CONNECTIONS = Config(max_pool_connections=32)
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Place:
    """Names of the resources that store a study's sessions."""

    session_table: str
    counter_table: str
    bucket: str


class StandIn:
    """A running stand-in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = boto3.Session(region_name=REGION, **CREDENTIALS)
        self._making_client = threading.Lock()

    def client(self, service: str) -> Any:
        """A boto3 client of it."""
        with self._making_client:
            return self._session.client(service, endpoint_url=self.url, config=_MANY_CONNECTIONS)

    def new_place(self) -> Place:
        """An empty session table, counter table and bucket."""
        number = next(_NUMBERS)
        place = Place(f"sessions-{number}", f"counter-{number}", f"data-{number}")
        dynamodb = self.client("dynamodb")
        _create_table(dynamodb, place.session_table, (PK, "S"), (SK, "S"))
        by_moment = {
            "IndexName": FREE_SLOTS,
            "KeySchema": _key_schema(PK, FREE_FROM),
            "Projection": {"ProjectionType": "ALL"},
        }
        _create_table(
            dynamodb, place.counter_table, (PK, "S"), (SLOT, "N"), (FREE_FROM, "S"), LocalSecondaryIndexes=[by_moment]
        )
        self.client("s3").create_bucket(Bucket=place.bucket)
        return place

    def store(self, place: Place) -> DynamoStore:
        """A store with its own clients, as another function instance would have."""
        return DynamoStore(dynamodb=self.client("dynamodb"), s3=self.client("s3"), **vars(place))


@contextmanager
def aws_stand_in() -> Iterator[StandIn]:
    """Run the stand-in on a free port."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with ExitStack() as patches:
        for patched in (
            mock.patch.object(DynamoHandler, "call_action", _one_at_a_time(DynamoHandler.call_action)),
            mock.patch.object(DynamoDBBackend, "transact_write_items", _undone(DynamoDBBackend.transact_write_items)),
            mock.patch.object(Table, "__deepcopy__", lambda table, _: table, create=True),
        ):
            patches.enter_context(patched)
        server.start()
        try:
            # By name, so that boto3 writes buckets into the path.
            yield StandIn(f"http://localhost:{server.get_host_and_port()[1]}")
        finally:
            server.stop()


def _one_at_a_time(call: Any) -> Any:
    """Evaluate a condition and its write atomically, as DynamoDB does; moto does not."""
    lock = threading.Lock()

    def locked(handler: DynamoHandler) -> Any:
        with lock:
            return call(handler)

    return locked


def _undone(transact: Any) -> Any:
    """Roll back a failed transaction's items only; moto copies the whole table before each of its writes."""

    def transact_or_undo(backend: DynamoDBBackend, writes: list[dict[str, Any]]) -> None:
        before = [_found(backend, next(iter(write.values()))) for write in writes]
        try:
            transact(backend, writes)
        except Exception:
            for items, range_value, item in before:
                items.pop(range_value, None)
                if item is not None:
                    items[range_value] = item
            raise

    return transact_or_undo


def _found(backend: DynamoDBBackend, write: dict[str, Any]) -> tuple[dict[DynamoType, Item], DynamoType, Item | None]:
    """The items among which a write finds its own, under which key, and a copy of it."""
    table = backend.tables[write["TableName"]]
    attributes = write.get("Key") or write["Item"]
    hash_value, range_value = (DynamoType(attributes[name]) for name in (table.hash_key_attr, table.range_key_attr))
    items = table.items[hash_value]
    return items, range_value, copy.deepcopy(items.get(range_value))


def create_stack(account: StandIn, name: str, outputs: dict[str, str]) -> None:
    """A stack with outputs and almost nothing else."""
    template: dict[str, Any] = {
        "Resources": {"Any": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    account.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


def _create_table(dynamodb: Any, name: str, *attributes: tuple[str, str], **indexes: Any) -> None:
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in attributes],
        KeySchema=_key_schema(attributes[0][0], attributes[1][0]),
        BillingMode="PAY_PER_REQUEST",
        **indexes,
    )


def _key_schema(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]
