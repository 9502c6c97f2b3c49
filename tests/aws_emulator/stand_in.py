"""`StandIn`: an empty AWS account on this machine, and the commands to fill it."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config
from moto.awslambda.models import lambda_backends
from moto.cloudformation.models import Stack, cloudformation_backends
from moto.core.base_backend import BackendDict
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from tests.aws import REGION, aws_stand_in
from tests.aws_emulator.cdk_command import PROJECT, run_cdk
from tests.aws_emulator.crashes import Crashes, StandInError
from tests.aws_emulator.custom_resources import PARTITION
from tests.aws_emulator.distribution import Distribution
from tests.aws_emulator.edge import Edge, serving
from tests.aws_emulator.functions import Functions
from tests.aws_emulator.messages import Answer, Request
from tests.aws_emulator.permissions import FunctionRoles
from tests.aws_emulator.resources import Recorded
from tests.aws_emulator.rest_api import RestApi
from tests.aws_emulator.stacks import whole_stacks

ACCOUNT = "111122223333"
"""Not moto's default account, in which other tests of this process may keep their things."""

_BOOTSTRAP_VERSION = "30"
_STREAM = "stand-in"
_MANY_CONNECTIONS = Config(max_pool_connections=64)
JSII_VARIABLES = {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20"}
"""The CDK in Python warns of a Node.js that is out of support."""


class StandIn:
    """An AWS account on this machine; empty when it is entered, gone when it is left.

    Attributes
    ----------
    account, region : as AWS writes them.
    url : where its services answer.
    environment : environment variables for programs that are to use it.

    Examples
    --------
    >>> with StandIn() as stand_in:
    ...     stand_in.bootstrap()
    ...     stand_in.cdk("deploy", "ExperimentStack-moths-0")
    ...     with stand_in.edge("ExperimentStack-moths-0") as edge:
    ...         print(edge.url, stand_in.outputs("ExperimentStack-moths-0"))
    """

    account = ACCOUNT
    region = REGION
    _only_one = threading.Lock()

    def __enter__(self) -> StandIn:
        if not self._only_one.acquire(blocking=False):
            raise RuntimeError("there is a stand-in already; a process has one at a time")
        with ExitStack() as opening:
            opening.callback(self._only_one.release)
            self._folder = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="stand-in-")))
            self._crashes = Crashes()
            opening.enter_context(self._crashes.watched())
            opening.enter_context(whole_stacks(self._crashes.add))
            self.url = opening.enter_context(aws_stand_in()).url
            opening.callback(_empty, self.account)
            self._credentials = self._new_credentials()
            self.environment = self._environment()
            self._session = boto3.Session(region_name=self.region, **self._credentials)
            self._making_client, self._logging = threading.Lock(), threading.Lock()
            self._s3 = self.client("s3")
            roles = FunctionRoles()
            opening.enter_context(roles.held_to_policies())
            common = {"PATH": os.defpath, "LANG": "C.UTF-8", **self._place()}
            self._functions = Functions(common, roles.credentials, self._folder / "functions")
            opening.enter_context(self._functions.run())
            self._closing = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()
        try:
            self._crashes.refuse()
        except StandInError as crash:
            if error is None:
                raise
            error.add_note(str(crash))  # which may well be its cause

    def client(self, service: str) -> Any:
        """A boto3 client."""
        with self._making_client:  # which sessions do not do for several threads at once
            return self._session.client(service, endpoint_url=self.url, config=_MANY_CONNECTIONS)

    def bootstrap(self) -> None:
        """Make what `cdk bootstrap` makes, as far as the CLI needs it. (The command itself takes half a minute.)"""
        self.client("s3").create_bucket(Bucket=self.asset_bucket)
        name = "/cdk-bootstrap/hnb659fds/version"
        self.client("ssm").put_parameter(Name=name, Value=_BOOTSTRAP_VERSION, Type="String")

    @property
    def asset_bucket(self) -> str:
        """The bucket that `bootstrap` makes."""
        return f"cdk-hnb659fds-assets-{self.account}-{self.region}"

    def cdk(
        self, *arguments: str, app: Path | str | None = None, output: Path | None = None, project: Path = PROJECT
    ) -> str:
        """Run the CLI; returns what it printed.

        Making an assembly takes most of the time of a command: make one with `cdk("synth", "--quiet", output=folder)`,
        and deploy it with `app=folder` as often as needed.

        Parameters
        ----------
        app : an assembly, or a command that makes one; None: what cdk.json says.
        output : folder for the assembly that is made; None: somewhere else than in the project.
        project : where the command is run.

        Raises
        ------
        CdkError
            With what it printed.
        StandInError
            If the stand-in is to blame.
        """
        try:
            made = output or self._folder / "cdk.out"
            return run_cdk(*arguments, app=app, output=made, environment=self.environment, project=project)
        finally:
            self._crashes.refuse()

    def outputs(self, stack: str) -> dict[str, str]:
        """Outputs of a stack, by key."""
        (described,) = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}

    def recorded(self, kind: str | None = None, *, stack: str | None = None) -> list[Recorded]:
        """Resources of a type that the stand-in records only, such as `AWS::CloudWatch::Alarm`, or of all such types.

        Without a stack, what outlived its own is among them.
        """
        return [part for part in self._parts(stack) if kind in (None, part.kind)]

    def edge(self, stack: str, *, port: int = 0) -> AbstractContextManager[Edge]:
        """Serve the distribution of a stack to browsers on this machine."""
        return serving(lambda: self._distribution(stack), self._crashes.add, port=port)

    def cool_down(self) -> None:
        """Make the next call of every function a cold start."""
        self._functions.cool_down()

    def _distribution(self, stack: str) -> Distribution:
        (found,) = self.recorded("AWS::CloudFront::Distribution", stack=stack)
        parts = list(self._parts())
        return Distribution(found, parts, account=self.account, s3=self._s3, call_api=self._call_api)

    def _call_api(self, api_id: str, request: Request) -> Answer:
        api = RestApi(
            api_id,
            list(self._parts()),
            account=self.account,
            region=self.region,
            invoke=self._invoke,
            log=self._write_log,
        )
        return api.answer(request)

    def _parts(self, stack: str | None = None) -> Iterator[Recorded]:
        """What is recorded of all stacks, those that are gone too, or of one."""
        backend = cloudformation_backends[self.account][self.region]
        stacks: list[Stack] = list(backend.stacks.values())
        if stack is None:
            stacks += backend.deleted_stacks.values()
        for found in stacks:
            if stack in (None, found.name):
                parts = list(found.resource_map._parsed_resources.values())
                yield from (part for part in parts if isinstance(part, Recorded))

    def _invoke(self, arn: str, event: Any) -> tuple[str, bool]:
        function = lambda_backends[self.account][self.region].get_function(arn)
        answer, failed, _ = function._invoke_lambda(event)
        return answer, failed

    def _write_log(self, arn: str, line: str) -> None:
        group = arn.split(":log-group:")[1].removesuffix(":*")
        logs = logs_backends[self.account][self.region]
        with self._logging:
            if _STREAM not in logs.groups[group].streams:
                logs.create_log_stream(group, _STREAM)
            logs.put_log_events(group, _STREAM, [{"timestamp": int(time.time() * 1000), "message": line}])

    def _new_credentials(self) -> dict[str, str]:
        """Keys of a user of this account: moto tells accounts apart by them."""
        iam = iam_backends[self.account][PARTITION]
        iam.create_user(self.region, "developer")
        key = iam.create_access_key("developer")
        return {"aws_access_key_id": key.access_key_id, "aws_secret_access_key": key.secret_access_key}

    def _environment(self) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
        return {
            **others,
            **JSII_VARIABLES,
            **self._place(),
            **{name.upper(): value for name, value in self._credentials.items()},
            # What this machine's user has set up must not matter.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_HOME": str(self._folder / "cdk-home"),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_DISABLE_VERSION_CHECK": "true",
            "CI": "true",
            "NODE_NO_WARNINGS": "1",
        }

    def _place(self) -> dict[str, str]:
        """Where the SDKs shall find everything."""
        return {"AWS_DEFAULT_REGION": self.region, "AWS_ENDPOINT_URL": self.url, "AWS_REGION": self.region}


def _empty(account: str) -> None:
    """Forget everything that is in an account. Other accounts of this process stay as they are."""
    for name, (_, owner) in list(s3_backends.bucket_accounts.items()):
        if owner == account:
            for key in list(s3_backends[account][PARTITION].buckets[name].keys):
                s3_backends[account][PARTITION].buckets[name].keys.pop(key)  # which also deletes its file
            del s3_backends.bucket_accounts[name]
    for backends in list(BackendDict._instances):  # type: ignore[misc]
        backends.pop(account, None)
