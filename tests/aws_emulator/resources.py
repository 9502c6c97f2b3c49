"""What becomes of each type of resource in a template.

Stock moto ignores the types that it does not know: a `Ref` to them is nothing, and a `Fn::GetAtt` an error. Of those
that it knows it leaves out properties, or cannot change them. Here some types are recorded (their properties, and the
attributes that other resources ask for), some are completed, and every other unknown type is an error.

The parts of a REST API are recorded although moto knows most of them: it has no stages in templates and no request
validation, and serves none of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.cloudformation import parsing
from moto.cloudformation.models import Stack
from moto.cloudformation.parsing import ResourceMap
from moto.dynamodb.models.table import Table
from moto.logs.models import LogGroup
from moto.s3.models import FakeBucket, s3_backends

from tests.aws_emulator.custom_resources import PARTITION, CustomResource

Properties = Mapping[str, Any]


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not a failure
    """What CloudFormation, or the service behind it, does not do. The message is that of AWS."""


class NotPlayedError(Exception):
    """AWS does something that the stand-in does not play."""


class Recorded:
    """A resource of which no more is known than what the template says.

    Attributes
    ----------
    kind : its type.
    physical_resource_id : what `Ref` gives.
    properties : as in the template, with all functions worked out.
    """

    def __init__(self, kind: str, physical_id: str, properties: Properties, attributes: Mapping[str, str]) -> None:
        self.kind = kind
        self.physical_resource_id = physical_id
        self.properties = properties
        self._attributes = attributes

    def get_cfn_attribute(self, name: str) -> str:
        """What `Fn::GetAtt` gives."""
        return self._attributes[name]


_NAMED_BY = {"AWS::ApiGateway::Stage": "StageName", "AWS::CloudWatch::Alarm": "AlarmName"}
"""Recorded types that `Ref` gives a name of, by the property that has it."""

_ATTRIBUTES: dict[str, Callable[[str], dict[str, str]]] = {
    "AWS::ApiGateway::Account": lambda _: {},
    "AWS::ApiGateway::Deployment": lambda id_: {"DeploymentId": id_},
    "AWS::ApiGateway::GatewayResponse": lambda _: {},
    "AWS::ApiGateway::Method": lambda _: {},
    "AWS::ApiGateway::Model": lambda _: {},
    "AWS::ApiGateway::RequestValidator": lambda _: {},
    "AWS::ApiGateway::Resource": lambda _: {},
    "AWS::ApiGateway::RestApi": lambda id_: {"RootResourceId": f"{id_}-root"},
    "AWS::ApiGateway::Stage": lambda _: {},
    "AWS::CDK::Metadata": lambda _: {},
    "AWS::CloudFront::Distribution": lambda id_: {"Id": id_, "DomainName": f"d{id_}.cloudfront.net"},
    "AWS::CloudFront::OriginAccessControl": lambda id_: {"Id": id_},
    "AWS::CloudFront::ResponseHeadersPolicy": lambda id_: {"Id": id_},
    "AWS::CloudWatch::Alarm": lambda _: {},
    "AWS::Lambda::LayerVersion": lambda _: {},
    "AWS::Lambda::Permission": lambda _: {},
    "AWS::Logs::MetricFilter": lambda _: {},
    "AWS::S3::BucketPolicy": lambda _: {},
    "AWS::SNS::Subscription": lambda _: {},
    "AWS::SNS::TopicPolicy": lambda _: {},
}
"""The recorded types, and what else than their id others ask for."""


def create_resource(
    logical_id: str, resource_json: dict[str, Any], resources_map: ResourceMap, account_id: str, region_name: str
) -> Any:
    """Make a resource, or nothing where its condition does not hold."""
    if (condition := resource_json.get("Condition")) and not resources_map.lazy_condition_map[condition]:
        return None
    kind = resource_json["Type"]
    properties = parsing.clean_json(resource_json.get("Properties", {}), resources_map)
    if kind in _ATTRIBUTES:
        made: Any = _record(kind, properties, f"{resources_map.stack_id}/{logical_id}")
    elif kind.startswith("Custom::"):
        made = CustomResource(kind, properties, name=logical_id, account=account_id)
    elif kind in parsing.get_model_map():
        model, resolved, name = parsing.parse_resource_and_generate_name(logical_id, resource_json, resources_map)
        made = model.create_from_cloudformation_json(name, resolved, account_id, region_name)
        _complete(made, properties, account_id)
    else:
        raise NotPlayedError(
            f"{logical_id} has type {kind}, which the emulator does not know; see tests/aws_emulator/resources.py"
        )
    made.cf_resource_type = kind
    made.logical_resource_id = logical_id
    return made


def update_resource(resources_map: ResourceMap, logical_id: str, resource_json: dict[str, Any]) -> None:
    """Give a resource the properties that the template has now."""
    resource: Any = resources_map[logical_id]
    kind = resource_json["Type"]
    properties = parsing.clean_json(resource_json.get("Properties", {}), resources_map)
    _refuse_replacement(resource, kind, properties)
    match resource:
        case Recorded():
            resource.properties = properties
        case CustomResource():
            resource.update(properties)
        case LambdaFunction():
            # Layers are recorded only: those of the CDK's own functions, which do not run here.
            resource.update_configuration({name: value for name, value in properties.items() if name != "Layers"})
            resource.update_function_code(properties["Code"])
            _complete(resource, properties, resources_map._account_id)
        case FakeBucket() | Table() | LogGroup():
            _complete(resource, properties, resources_map._account_id)
        case _:
            model, resolved, name = parsing.parse_resource_and_generate_name(logical_id, resource_json, resources_map)
            if hasattr(model.update_from_cloudformation_json, "__isabstractmethod__"):
                raise NotPlayedError(f"{logical_id}: moto does not change what is of type {kind}")
            changed = model.update_from_cloudformation_json(
                original_resource=resource,
                new_resource_name=name,
                cloudformation_json=resolved,
                account_id=resources_map._account_id,
                region_name=resources_map._region_name,
            )
            _complete(changed, properties, resources_map._account_id)
            changed.cf_resource_type = kind
            changed.logical_resource_id = logical_id
            resources_map._parsed_resources[logical_id] = changed


def delete_resource(stack: Stack, resource: Any, resource_json: Mapping[str, Any]) -> None:
    """Delete a resource.

    Raises
    ------
    Refused
        If a bucket is not empty, which moto would keep without a word.
    """
    if isinstance(resource, Recorded):
        return
    if isinstance(resource, FakeBucket) and resource.keys:
        raise Refused(f"The bucket you tried to delete is not empty: {resource.name}")
    if hasattr(resource, "delete"):
        resource.delete(stack.account_id, stack.region_name)
    else:
        type(resource).delete_from_cloudformation_json(
            resource.physical_resource_id, resource_json, stack.account_id, stack.region_name
        )


def _record(kind: str, properties: Properties, unique: str) -> Recorded:
    digest = hashlib.sha256(unique.encode()).hexdigest()[:13]
    physical_id = properties.get(_NAMED_BY.get(kind, ""), digest)
    return Recorded(kind, physical_id, properties, _ATTRIBUTES[kind](physical_id))


def _refuse_replacement(resource: Any, kind: str, properties: Properties) -> None:
    """AWS makes a new resource where a name changes, and then deletes the old one."""
    wanted = properties.get(parsing.resource_name_property_from_type(kind) or "")
    if isinstance(wanted, str) and isinstance(resource, FakeBucket | Table | LambdaFunction | LogGroup):
        known = resource.function_name if isinstance(resource, LambdaFunction) else resource.name
        if wanted != known:
            raise NotPlayedError(f"{known} would be replaced by {wanted}")


def _complete(resource: Any, properties: Properties, account: str) -> None:
    """Give a resource what moto leaves out of its template."""
    match resource:
        case LambdaFunction():
            resource.environment_vars = properties.get("Environment", {}).get("Variables", {})
            resource.logs_group_name = properties.get("LoggingConfig", {}).get("LogGroup", resource.logs_group_name)
        case FakeBucket():
            resource.versioning_status = properties.get("VersioningConfiguration", {}).get("Status")
            tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
            s3 = s3_backends[account][PARTITION]
            s3.put_bucket_tagging(resource.name, tags)
            if block := properties.get("PublicAccessBlockConfiguration"):
                s3.put_public_access_block(resource.name, {name: str(value).lower() for name, value in block.items()})
        case Table():
            resource.deletion_protection_enabled = properties.get("DeletionProtectionEnabled", False)
            recovery = properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False)
            resource.continuous_backups["PointInTimeRecoveryDescription"] = {
                "PointInTimeRecoveryStatus": "ENABLED" if recovery else "DISABLED"
            }
            if lifetime := properties.get("TimeToLiveSpecification"):
                status = "ENABLED" if lifetime["Enabled"] else "DISABLED"
                resource.ttl = {"TimeToLiveStatus": status, "AttributeName": lifetime["AttributeName"]}
        case LogGroup():
            resource.retention_in_days = properties.get("RetentionInDays")
