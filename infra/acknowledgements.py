"""Accepting cdk-nag findings, each with a reason, next to the resource concerned."""

from __future__ import annotations

from aws_cdk import Acknowledgment, CfnElement, Stack, Validations
from constructs import Construct, IConstruct

NO_FIREWALL = "a firewall costs more per month than a study; calls are throttled, and every call needs a token"


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Accept a finding on a construct and its children."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def logical_id(construct: Construct) -> str:
    """Logical id of a construct's resource, as findings on policies name it."""
    resource = construct.node.default_child
    assert isinstance(resource, CfnElement), f"{construct.node.path} has no resource of its own"  # noqa: S101
    return str(Stack.of(construct).resolve(resource.logical_id))


def finding_on(scope: Construct, arn: str) -> str:
    """Name of cdk-nag's finding on a wildcard `arn`; values known only at deployment are in angle brackets."""
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
