"""Templates in a form that tests can state exactly: references by their logical ids, without the CDK's hashes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_HASH = re.compile(r"[0-9A-F]{8}$")
_ASSET = re.compile(r"[0-9a-f]{64}\.zip")

Statement = tuple[str, str, tuple[str, ...], tuple[str, ...], str]
"""Effect, principal, actions, resources, condition; text is empty where there is none."""


def readable(value: Any) -> Any:
    """`{"Fn::GetAtt": ["Table1234ABCD", "Arn"]}` -> `<Table.Arn>`; `Fn::Join` and `Fn::Sub` -> text."""
    match value:
        case {"Ref": str(name)}:
            return f"<{_HASH.sub('', name)}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{_HASH.sub('', name)}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return separator.join(str(readable(part)) for part in parts)
        case {"Fn::Select": [index, {"Fn::Split": [separator, whole]}]}:
            return str(readable(whole)).split(separator)[index]
        case {"Fn::Sub": str(text)}:
            return text
        case dict():
            return {key: readable(part) for key, part in value.items()}
        case list():
            return [readable(part) for part in value]
        case str():
            return _ASSET.sub("<asset>", value)
    return value


def resources(template: Mapping[str, Any], type_: str) -> dict[str, Any]:
    """Logical id without hash -> properties, of all resources of a type."""
    return {
        _HASH.sub("", id_): readable(resource.get("Properties", {}))
        for id_, resource in template["Resources"].items()
        if resource["Type"] == type_
    }


def statements(document: Mapping[str, Any]) -> list[Statement]:
    """Of a readable policy document."""
    return [
        (
            one["Effect"],
            _text(one.get("Principal")),
            tuple(sorted(_listed(one["Action"]))),
            tuple(sorted(set(_listed(one.get("Resource", []))))),
            _text(one.get("Condition")),
        )
        for one in document["Statement"]
    ]


def role_statements(template: Mapping[str, Any]) -> dict[str, list[Statement]]:
    """Logical id of each role -> the statements of all of its policies."""
    found: dict[str, list[Statement]] = {id_: [] for id_ in resources(template, "AWS::IAM::Role")}
    for policy in resources(template, "AWS::IAM::Policy").values():
        for role in policy["Roles"]:
            found[role.strip("<>")] += statements(policy["PolicyDocument"])
    return found


def bucket_statements(template: Mapping[str, Any]) -> dict[str, list[Statement]]:
    """Logical id of each bucket -> the statements of its policy."""
    return {
        policy["Bucket"].strip("<>"): statements(policy["PolicyDocument"])
        for policy in resources(template, "AWS::S3::BucketPolicy").values()
    }


def _listed(value: Any) -> Iterable[str]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """`{"Bool": {"aws:SecureTransport": "false"}}` -> `Bool aws:SecureTransport false`."""
    if isinstance(value, dict):
        return "; ".join(f"{key} {_text(part)}" for key, part in value.items())
    return "" if value is None else str(value)
