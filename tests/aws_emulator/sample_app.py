"""A small CDK app with one of everything that a study's stack has, made in two versions.

    python -m tests.aws_emulator.sample_app FOLDER ACCOUNT REGION

makes the assemblies `FOLDER/first` and `FOLDER/changed`, whose pages and functions differ. The stacks: Kept and
Deleted, which differ in what becomes of their data; Protected, which cannot be destroyed; Referring, which refers to
it; Taken, with the bucket `taken-0` and when it has changed also `taken-1`; Unknown, with a resource of a type that the
stand-in does not know.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from aws_cdk import App, CfnOutput, CfnResource, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as s3_deployment
from aws_cdk import aws_ssm as ssm
from constructs import Construct

CDK_JSON = Path(__file__).parents[2] / "cdk.json"
TIMEOUT_SECONDS = 4


class SampleStack(Stack):
    """A page, an API with a function behind it, a table and a bucket for data; all under one address."""

    def __init__(self, scope: Construct, id_: str, *, keep: bool, version: int, code: Path, env: Environment) -> None:
        super().__init__(scope, id_, env=env)
        self._policy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if keep else RemovalPolicy.DESTROY
        self._keep = keep
        self._version = version
        self._code = code
        table, bucket = self._build_storage()
        api = self._build_api(self._build_function(table, bucket))
        distribution = self._build_site(api)
        CfnOutput(self, "Url", value=f"https://{distribution.distribution_domain_name}/")
        CfnOutput(self, "TableName", value=table.table_name)
        CfnOutput(self, "BucketName", value=bucket.bucket_name)

    def _build_storage(self) -> tuple[dynamodb.Table, s3.Bucket]:
        table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self._keep,
            removal_policy=self._policy,
        )
        bucket = s3.Bucket(
            self,
            "Data",
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            removal_policy=self._policy,
            auto_delete_objects=not self._keep,
        )
        return table, bucket

    def _build_function(self, table: dynamodb.Table, bucket: s3.Bucket) -> lambda_.Function:
        log_group = logs.LogGroup(self, "FunctionLogs", removal_policy=RemovalPolicy.DESTROY)
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        for action, resource in (
            ("dynamodb:PutItem", table.table_arn),
            ("s3:PutObject", bucket.arn_for_objects("kept/*")),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
        return lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler="index.handler",
            code=lambda_.Code.from_asset(str(self._code)),
            timeout=Duration.seconds(TIMEOUT_SECONDS),
            role=role.without_policy_updates(),
            log_group=log_group,
            environment={"TABLE": table.table_name, "BUCKET": bucket.bucket_name},
        )

    def _build_api(self, function: lambda_.Function) -> apigateway.RestApi:
        access_logs = logs.LogGroup(self, "AccessLogs", removal_policy=RemovalPolicy.DESTROY)
        api = apigateway.RestApi(
            self,
            "Api",
            cloud_watch_role=False,
            deploy_options=apigateway.StageOptions(
                stage_name="prod",
                access_log_destination=apigateway.LogGroupLogDestination(access_logs),
                access_log_format=apigateway.AccessLogFormat.custom(
                    "$context.requestId: $context.httpMethod $context.resourcePath $context.status"
                ),
            ),
        )
        model = api.add_model(
            "Call",
            content_type="application/json",
            schema=apigateway.JsonSchema(
                type=apigateway.JsonSchemaType.OBJECT,
                required=["do"],
                properties={"do": apigateway.JsonSchema(type=apigateway.JsonSchemaType.STRING)},
            ),
        )
        validator = api.add_request_validator("Bodies", validate_request_body=True)
        integration = apigateway.LambdaIntegration(function)
        calls = api.root.add_resource("api", default_cors_preflight_options=apigateway.CorsOptions(allow_origins=["*"]))
        calls.add_method("POST", integration, request_validator=validator, request_models={"application/json": model})
        calls.add_resource("items").add_resource("{item}").add_method("GET", integration)
        return api

    def _build_site(self, api: apigateway.RestApi) -> cloudfront.Distribution:
        site = s3.Bucket(
            self,
            "Site",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            removal_policy=RemovalPolicy.DESTROY,
            auto_delete_objects=True,
        )
        headers = cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy="default-src 'self'", override=True
                )
            ),
        )
        origin = origins.S3BucketOrigin.with_origin_access_control(site)
        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            default_root_object="index.html",
            default_behavior=cloudfront.BehaviorOptions(origin=origin, response_headers_policy=headers),
            additional_behaviors={
                "api*": cloudfront.BehaviorOptions(
                    origin=origins.RestApiOrigin(api),
                    allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                    cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                    origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                ),
            },
        )
        for id_, files, prefix in (
            ("Page", {"index.html": f"<h1>version {self._version}</h1>", f"only-{self._version}.txt": "here"}, None),
            ("Pictures", {"a.svg": "<svg/>"}, "pictures"),
        ):
            s3_deployment.BucketDeployment(
                self,
                id_,
                sources=[s3_deployment.Source.data(name, text) for name, text in files.items()],
                destination_bucket=site,
                destination_key_prefix=prefix,
                exclude=["pictures/*"] if prefix is None else None,
                cache_control=[s3_deployment.CacheControl.from_string("no-cache")],
            )
        return distribution


def synthesise(folder: Path, account: str, region: str) -> None:
    """Make both assemblies."""
    env = Environment(account=account, region=region)
    context = json.loads(CDK_JSON.read_text())["context"]
    for version, name in enumerate(("first", "changed"), start=1):
        app = App(outdir=str(folder / name), context=context)
        code = _write_function(folder / f"function-{version}", version)
        SampleStack(app, "Kept", keep=True, version=version, code=code, env=env)
        SampleStack(app, "Deleted", keep=False, version=version, code=code, env=env)
        protected = logs.LogGroup(Stack(app, "Protected", env=env, termination_protection=True), "Logs")
        ssm.StringParameter(
            Stack(app, "Referring", env=env), "Name", parameter_name="/name", string_value=protected.log_group_name
        )
        taken = Stack(app, "Taken", env=env)
        log_group = logs.LogGroup(taken, "Logs", removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        for number in range(version):
            bucket = s3.Bucket(
                taken, f"Bucket{number}", bucket_name=f"taken-{number}", removal_policy=RemovalPolicy.DESTROY
            )
            bucket.node.add_dependency(log_group)
        unknown = Stack(app, "Unknown", env=env)
        CfnResource(unknown, "Workgroup", type="AWS::Athena::WorkGroup", properties={"Name": "unknown"})
        app.synth()


def _write_function(folder: Path, version: int) -> Path:
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("sample_function.py"), folder / "index.py")
    (folder / "version.txt").write_text(str(version))
    return folder


if __name__ == "__main__":
    synthesise(Path(sys.argv[1]), *sys.argv[2:])
