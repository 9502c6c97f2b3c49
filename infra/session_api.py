"""`SessionApi`: the session function and the REST API in front of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Duration, Size, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.acknowledgements import NO_FIREWALL, acknowledge, logical_id
from infra.log_group import log_group
from infra.session_storage import SessionStorage
from lambdas.assemble import HANDLER
from lwise_core import aws_names
from lwise_core.sessions.api import CALLS

_MEMORY_MB = 512
"""A third of a core; less memory costs more in cold starts than it saves."""
_TIMEOUT = Duration.seconds(15)
_STAGE = "prod"
_MIN_COMPRESSION_SIZE = Size.kibibytes(2)
_KEY_ACTIONS = ("GetItem", "Query", "PutItem", "UpdateItem")
_EMAIL_KEYS = f"{aws_names.EMAILS}/*"
_JSON_TYPE: Mapping[type, apigateway.JsonSchemaType] = {
    str: apigateway.JsonSchemaType.STRING,
    list: apigateway.JsonSchemaType.ARRAY,
}


class SessionApi(Construct):
    """`/api/*` of a study.

    Attributes
    ----------
    api : the REST API, with stage `prod`.
    function : the session function, which answers all calls.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        code: Path,
        storage: SessionStorage,
        parameters: Sequence[str],
        rate_limit: float,
        burst_limit: int,
    ) -> None:
        """
        Parameters
        ----------
        code : folder of the function: its modules and the study's bundle.
        parameters : names of the SSM parameters that hold completion codes.
        rate_limit, burst_limit : calls per second that the stage answers, on average and at once.
        """
        super().__init__(scope, id_)
        self.function = self._build_function(code, storage, parameters)
        self.api = self._build_api(rate_limit, burst_limit)
        self._add_calls()

    def _build_function(self, code: Path, storage: SessionStorage, parameters: Sequence[str]) -> lambda_.Function:
        logs = log_group(self, "FunctionLogs")
        role = iam.Role(self, "FunctionRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        logs.grant_write(role)
        for statement in self._statements(storage, parameters):
            role.add_to_policy(statement)
        self._acknowledge_keys(role, storage)
        return lambda_.Function(
            self,
            "Function",
            description=f"Sessions of {Stack.of(self).stack_name}",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            handler=HANDLER,
            code=lambda_.Code.from_asset(str(code)),
            memory_size=_MEMORY_MB,
            timeout=_TIMEOUT,
            role=role.without_policy_updates(),
            log_group=logs,
            environment={
                aws_names.SESSION_TABLE_ENV: storage.session_table.table_name,
                aws_names.COUNTER_TABLE_ENV: storage.counter_table.table_name,
                aws_names.DATA_BUCKET_ENV: storage.data_bucket.bucket_name,
            },
        )

    def _statements(self, storage: SessionStorage, parameters: Sequence[str]) -> list[iam.PolicyStatement]:
        """The permissions that the session store and completion codes need, and no others."""
        table, counter = storage.session_table.table_arn, storage.counter_table.table_arn
        statements = [
            iam.PolicyStatement(
                actions=[f"dynamodb:{action}" for action in _KEY_ACTIONS],
                resources=[table, counter, f"{counter}/index/*"],
            ),
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[storage.data_bucket.arn_for_objects(_EMAIL_KEYS)]),
        ]
        if parameters:
            arns = [
                Stack.of(self).format_arn(service="ssm", resource="parameter", resource_name=name.removeprefix("/"))
                for name in parameters
            ]
            statements.append(iam.PolicyStatement(actions=["ssm:GetParameter"], resources=arns))
        return statements

    def _acknowledge_keys(self, role: iam.Role, storage: SessionStorage) -> None:
        acknowledge(
            role,
            f"AwsSolutions-IAM5[Resource::<{logical_id(storage.data_bucket)}.Arn>/{_EMAIL_KEYS}]",
            "one object per participant, whose name is the participant's pseudonym",
        )
        acknowledge(
            role,
            f"AwsSolutions-IAM5[Resource::<{logical_id(storage.counter_table)}.Arn>/index/*]",
            "the index of free slots, the only index of the table",
        )

    def _build_api(self, rate_limit: float, burst_limit: int) -> apigateway.RestApi:
        logs = log_group(self, "AccessLogs")
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=Stack.of(self).stack_name,
            description="Participants' calls; reached through the study's own address",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=False,
            # A session's trials are long, repetitive JSON, sent again after every reload.
            min_compression_size=_MIN_COMPRESSION_SIZE,
            deploy_options=apigateway.StageOptions(
                stage_name=_STAGE,
                throttling_rate_limit=rate_limit,
                throttling_burst_limit=burst_limit,
                access_log_destination=apigateway.LogGroupLogDestination(logs),
                access_log_format=_access_log_format(),
                # Request bodies are not logged: they hold ids and responses.
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
                metrics_enabled=True,
            ),
        )
        for finding in ("AwsSolutions-APIG4", "AwsSolutions-COG4"):
            acknowledge(api, finding, "participants have no account; a token gives access to its session only")
        acknowledge(api.deployment_stage, "AwsSolutions-APIG3", NO_FIREWALL)
        # The stage logs errors to this group; the one that it creates itself would be left behind.
        errors = log_group(self, "ApiErrorLogs", name=f"API-Gateway-Execution-Logs_{api.rest_api_id}/{_STAGE}")
        api.deployment_stage.node.add_dependency(errors)
        return api

    def _add_calls(self) -> None:
        validator = self.api.add_request_validator(
            "Bodies", validate_request_body=True, validate_request_parameters=True
        )
        integration = apigateway.LambdaIntegration(self.function, proxy=True)
        calls = self.api.root.add_resource("api")
        for name, call in CALLS.items():
            # The gateway checks the types of what every body must have; the function checks the rest.
            models = None if call.method == "GET" else {"application/json": self._add_model(name, call.required)}
            calls.add_resource(name).add_method(
                call.method, integration, request_models=models, request_validator=validator
            )

    def _add_model(self, name: str, required: Mapping[str, type]) -> apigateway.Model:
        schema = apigateway.JsonSchema(
            schema=apigateway.JsonSchemaVersion.DRAFT4,
            type=apigateway.JsonSchemaType.OBJECT,
            properties={field: apigateway.JsonSchema(type=_JSON_TYPE[type_]) for field, type_ in required.items()},
            required=list(required),
        )
        return self.api.add_model(name.title(), content_type="application/json", schema=schema)


def _access_log_format() -> apigateway.AccessLogFormat:
    """Time, call, status and latency; nothing that identifies the caller."""
    context = apigateway.AccessLogField
    fields = {
        "at": context.context_request_time(),
        "request": context.context_request_id(),
        "call": context.context_resource_path(),
        "method": context.context_http_method(),
        "status": context.context_status(),
        "ms": context.context_response_latency(),
        "bytes": context.context_response_length(),
        "error": context.context_error_response_type(),
    }
    text = ", ".join(f'"{name}": "{field}"' for name, field in fields.items())
    return apigateway.AccessLogFormat.custom(f"{{{text}}}")
