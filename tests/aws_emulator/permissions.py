"""What a function may do: what the policies of its role allow.

Stock moto either lets everybody do everything, or asks every caller for permission, and then knows the resource of few
calls. Here functions have the temporary credentials of their role, and only they are asked; whoever deploys may do
everything. Policies of AWS itself, conditions and permission boundaries are not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from moto.awslambda.models import LambdaFunction
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import JsonRESTError
from moto.iam.access_control import AssumedRoleAccessKey, IAMPolicy, PermissionResult, S3IAMRequest
from moto.s3.exceptions import S3AccessDeniedError
from moto.sts.models import sts_backends

from tests.aws_emulator.custom_resources import PARTITION
from tests.aws_emulator.resources import NotPlayedError

Asked = tuple[str, str]
"""An action as policies name it, and the ARN of what it is done to."""

_IN_TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_ON_SEVERAL_TABLES = ("BatchGetItem", "BatchWriteItem")


class FunctionRoles:
    """The roles that functions have taken."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def credentials(self, function: LambdaFunction) -> dict[str, str]:
        """Environment variables that let a process act as the function's role."""
        taken = sts_backends[function.account_id][PARTITION].assume_role(
            function.region, function.function_name, function.role, policy="", duration=3600, external_id=""
        )
        self._keys.add(taken.access_key_id)
        return {
            "AWS_ACCESS_KEY_ID": taken.access_key_id,
            "AWS_SECRET_ACCESS_KEY": taken.secret_access_key,
            "AWS_SESSION_TOKEN": taken.session_token,
        }

    @contextmanager
    def held_to_policies(self) -> Iterator[None]:
        """Refuse functions what their role does not allow."""

        def authorise(response: Any, iam_request_cls: type, resource: str = "*") -> None:
            if response.access_key not in self._keys:
                return
            role = AssumedRoleAccessKey(response.current_account, PARTITION, response.access_key, response.headers)
            policies = [IAMPolicy(policy) for policy in role.collect_policies()]
            is_s3 = issubclass(iam_request_cls, S3IAMRequest)
            asked = [(f"s3:{response._get_action()}", resource)] if is_s3 else list(_asked_for(response))
            for action, arn in asked:
                results = {policy.is_action_permitted(action, arn) for policy in policies}
                if PermissionResult.PERMITTED not in results or PermissionResult.DENIED in results:
                    if is_s3:
                        raise S3AccessDeniedError
                    message = f"User: {role.arn} is not authorized to perform: {action} on resource: {arn}"
                    raise JsonRESTError("AccessDeniedException", message)

        with mock.patch.object(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", authorise):
            yield


def _asked_for(response: Any) -> Iterator[Asked]:
    """What a call needs permission for, service by service."""
    service, _, operation = response.headers.get("X-Amz-Target", "").partition(".")
    place = f"{response.region}:{response.current_account}"
    body = json.loads(response.raw_body) if operation else {}
    if service.startswith("DynamoDB_"):
        for action, table in _on_tables(operation, body):
            yield f"dynamodb:{action}", f"arn:{PARTITION}:dynamodb:{place}:table/{table}"
    elif service == "AmazonSSM" and operation == "GetParameter":
        yield "ssm:GetParameter", f"arn:{PARTITION}:ssm:{place}:parameter/{body['Name'].removeprefix('/')}"
    else:
        raise NotPlayedError(
            f"what permission a function needs for {response._get_action()} of {response.service_name}"
        )


def _on_tables(operation: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Actions, and the tables or indexes that they are done to."""
    if operation in _ON_SEVERAL_TABLES:
        yield from ((operation, table) for table in body["RequestItems"])
    elif operation.startswith("Transact"):
        parts = (part for item in body["TransactItems"] for part in item.items())
        yield from ((_IN_TRANSACTIONS[kind], part["TableName"]) for kind, part in parts)
    else:
        index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
        yield operation, body["TableName"] + index
