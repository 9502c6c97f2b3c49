"""Findings of cdk-nag that are accepted, each with its reason, beside the resource that it is about."""

from __future__ import annotations

from aws_cdk import Acknowledgment, CfnElement, Stack, Validations
from constructs import Construct, IConstruct

NO_FIREWALL = "a firewall costs more a month than a study; calls are throttled, and nothing is open without a token"


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Accept a finding on a construct and what is below it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def logical_id(construct: Construct) -> str:
    """What a template calls the resource of a construct; findings on policies name resources so."""
    resource = construct.node.default_child
    assert isinstance(resource, CfnElement), f"{construct.node.path} has no resource of its own"  # noqa: S101
    return str(Stack.of(construct).resolve(resource.logical_id))


def finding_on(scope: Construct, arn: str) -> str:
    """What cdk-nag calls a policy's `arn` with a wildcard: what only CloudFormation knows stands in angle brackets."""
    match Stack.of(scope).resolve(arn):
        case {"Fn::Join": ["", [*parts]]}:
            return f"AwsSolutions-IAM5[Resource::{''.join(map(_part, parts))}]"
        case text:
            return f"AwsSolutions-IAM5[Resource::{text}]"


def _part(part: object) -> str:
    match part:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case text:
            return str(text)
