"""CloudFormation's own work on a stack, done in full.

Stock moto creates resources in an order that follows `DependsOn` alone, updates them in the order of the template and
up to five times, and deletes them in any order; a failure leaves half a stack and an exception behind. It deletes what
is `RetainExceptOnCreate`, and has no termination protection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from graphlib import TopologicalSorter
from typing import Any
from unittest import mock

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Event, Stack, cloudformation_backends
from moto.cloudformation.parsing import OutputMap
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from werkzeug.exceptions import HTTPException

from tests.aws_emulator.resources import Refused, create_resource, delete_resource, update_resource

Resources = Mapping[str, Mapping[str, Any]]
"""Logical id -> resource, as in a template."""

_KEPT = ("Retain", "RetainExceptOnCreate")
_SAID_BY_AWS = (Refused, HTTPException, ServiceException)
"""What a service refuses, other than what goes wrong inside moto."""


@contextmanager
def whole_stacks(crashed: Callable[[BaseException], None]) -> Iterator[None]:
    """Give moto's CloudFormation what it lacks.

    Parameters
    ----------
    crashed : is told of every exception that no service of AWS would have answered with.
    """

    def guarded(work: Callable[..., None]) -> Callable[..., None]:
        def do(stack: Stack, *arguments: Any, **named: Any) -> None:
            try:
                work(stack, *arguments, **named)
            except Exception as error:
                if not isinstance(error, _SAID_BY_AWS):
                    crashed(error)

        return do

    with ExitStack() as patches:
        for owner, name, replacement in (
            (parsing, "parse_and_create_resource", create_resource),
            (parsing, "clean_json", _with_outputs_of_others(parsing.clean_json)),
            # It asks moto's class of every resource that outputs are taken from; ours show when they are asked.
            (parsing.ResourceMap, "validate_outputs", lambda _: None),
            (Stack, "create_resources", guarded(_create)),
            (Stack, "update", guarded(_update)),
            (Stack, "delete", guarded(_delete)),
            (CloudFormationBackend, "delete_stack", _delete_stack),
            (CloudFormationBackend, "_resolve_update_parameters", _parameters_of_update),
            (CloudFormationResponse, "update_termination_protection", _protect),
        ):
            patches.enter_context(mock.patch.object(owner, name, replacement, create=owner is CloudFormationResponse))
        yield


def dependency_order(resources: Resources) -> list[str]:
    """Logical ids, each after those that it needs."""
    sorter = TopologicalSorter({name: _needed(resource) & resources.keys() for name, resource in resources.items()})
    return list(sorter.static_order())


def _needed(node: Any, *, top: bool = True) -> set[str]:
    """What `DependsOn`, `Ref`, `Fn::GetAtt` and `Fn::Sub` name in a resource."""
    match node:
        case {"Ref": str(name)}:
            return {name}
        case {"Fn::GetAtt": [str(name), *_]}:
            return {name}
        case {"Fn::Sub": str(text)}:
            return set(re.findall(r"\$\{(\w+)", text))
        case {"Fn::Sub": [str(text), values]}:
            return set(re.findall(r"\$\{(\w+)", text)) | _needed(values, top=False)
        case dict():
            named = node.get("DependsOn", []) if top else []
            explicit = {named} if isinstance(named, str) else set(named)
            return explicit.union(*(_needed(value, top=False) for value in node.values()))
        case list():
            return set[str]().union(*(_needed(value, top=False) for value in node))
        case _:
            return set()


def _with_outputs_of_others(clean_json: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Work out `Fn::GetStackOutput`, which the CDK writes where one stack refers to another, too."""

    def clean(node: Any, known: Any) -> Any:
        match node:
            case {"Fn::GetStackOutput": asked}:
                other = cloudformation_backends[known._account_id][known._region_name].get_stack(asked["StackName"])
                values = {output["OutputKey"]: output["OutputValue"] for output in other.outputs or ()}
                return values[asked["OutputName"]]
            case _:
                return clean_json(node, known)

    return clean


def _create(stack: Stack) -> None:
    stack.status = "CREATE_IN_PROGRESS"
    resources = stack.template_dict["Resources"]
    try:
        for name in dependency_order(resources):
            with _reporting(stack, name, resources, "CREATE_FAILED"):
                stack.resource_map[name]
    except Exception:
        try:
            # As on AWS, most of what is to be kept is kept only if the stack was ever complete.
            _remove(stack, resources, kept=("Retain",))
        except Exception:
            _end(stack, "ROLLBACK_FAILED")
        else:
            _forget(stack)
            _end(stack, "ROLLBACK_COMPLETE")
        raise
    _end(stack, "CREATE_COMPLETE")


def _update(
    stack: Stack,
    template: str,
    role_arn: str | None = None,
    parameters: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    stack._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
    before = stack.template
    try:
        _change(stack, template, parameters)
    except Exception:
        try:
            _change(stack, before, None)
        except Exception:
            _end(stack, "UPDATE_ROLLBACK_FAILED")
        else:
            _end(stack, "UPDATE_ROLLBACK_COMPLETE")
        raise
    stack.tags = stack.tags if tags is None else tags
    _end(stack, "UPDATE_COMPLETE")


def _change(stack: Stack, template: Any, parameters: dict[str, Any] | None) -> None:
    """Create what is new, update what changed, then delete what is not wanted any more."""
    old = stack.template_dict["Resources"]
    stack.template = template
    stack._parse_template()
    new = stack.template_dict["Resources"]
    known = stack.resource_map
    known._template, known._resource_json_map = stack.template_dict, new
    if parameters is not None:
        stack.parameters = known.input_parameters = parameters
    known.load()
    for name in dependency_order(new):
        with _reporting(stack, name, new, "UPDATE_FAILED"):
            if known._parsed_resources.get(name) is None:
                known[name]
            elif new[name] != old.get(name):
                update_resource(known, name, new[name])
    _remove(stack, {name: resource for name, resource in old.items() if name not in new}, kept=_KEPT, among=old)
    stack.output_map = OutputMap(known, stack.template_dict, stack.stack_id)


def _delete(stack: Stack) -> None:
    stack._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason="User Initiated")
    try:
        outliving = _remove(stack, stack.template_dict["Resources"], kept=_KEPT)
    except Exception:
        _end(stack, "DELETE_FAILED")
        raise
    _forget(stack)
    stack.resource_map._parsed_resources.update(outliving)
    _end(stack, "DELETE_COMPLETE")


def _remove(
    stack: Stack, resources: Resources, *, kept: tuple[str, ...], among: Resources | None = None
) -> dict[str, Any]:
    """Delete resources, each before those that it needs; returns those that are to be kept."""
    outliving: dict[str, Any] = {}
    for name in reversed(dependency_order(among or resources)):
        if name not in resources:
            continue
        known = stack.resource_map._parsed_resources
        if known.get(name) is not None:
            if resources[name].get("DeletionPolicy") in kept:
                outliving[name] = known[name]
            else:
                with _reporting(stack, name, resources, "DELETE_FAILED"):
                    delete_resource(stack, known[name], resources[name])
        known.pop(name, None)
    return outliving


def _forget(stack: Stack) -> None:
    """Whoever asks for the resources or outputs of what is gone would have moto make them anew."""
    stack.resource_map._resource_json_map = {}
    stack.output_map = OutputMap(stack.resource_map, {}, stack.stack_id)


@contextmanager
def _reporting(stack: Stack, name: str, resources: Resources, status: str) -> Iterator[None]:
    """Write an exception into the stack's events, from where the CLI takes its message."""
    try:
        yield
    except Exception as error:
        reason = str(error) if isinstance(error, _SAID_BY_AWS) else repr(error)
        stack.events.append(
            Event(
                stack.stack_id, stack.name, name, "", resources[name]["Type"], status, reason, resource_properties=None
            )
        )
        raise


def _end(stack: Stack, status: str) -> None:
    stack.status = status
    stack._add_stack_event(status)


def _delete_stack(backend: CloudFormationBackend, name_or_stack_id: str) -> None:
    for stack in list(backend.stacks.values()):
        if name_or_stack_id not in (stack.name, stack.stack_id):
            continue
        if stack.enable_termination_protection:
            raise ValidationError(
                message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            )
        exported = [export.name for export in stack.exports]
        stack.delete()
        if stack.status == "DELETE_COMPLETE":
            backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)
            for name in exported:
                backend.exports.pop(name, None)


def _protect(response: CloudFormationResponse) -> ActionResult:
    stack = response.cloudformation_backend.get_stack(response._get_param("StackName"))
    stack.enable_termination_protection = bool(response._get_param("EnableTerminationProtection"))
    return ActionResult({"StackId": stack.stack_id})


def _parameters_of_update(
    _: CloudFormationBackend, instance: Any, incoming_params: list[dict[str, Any]]
) -> dict[str, str]:
    """Stock moto fails where a parameter shall stay as it was that never had another value than its default."""
    return {
        parameter["ParameterKey"]: instance.parameters[parameter["ParameterKey"]]
        if parameter.get("UsePreviousValue")
        else parameter["ParameterValue"]
        for parameter in incoming_params
        if not parameter.get("UsePreviousValue") or parameter["ParameterKey"] in instance.parameters
    }
