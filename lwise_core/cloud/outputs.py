"""What a stack of this project says of itself."""

from __future__ import annotations

from collections.abc import Mapping

from lwise_core.cloud.aws_client import asking, client
from lwise_core.errors import InputError


def stack_outputs(stack: str, *, remedy: str) -> Mapping[str, str]:
    """The outputs of a stack by their keys.

    Parameters
    ----------
    remedy : what to do if it is not there, for people.

    Raises
    ------
    InputError
        If the stack is not in the region, or AWS cannot be asked.
    """
    try:
        with asking(stack):
            (described,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except InputError as error:
        raise InputError(f"{error}. {remedy}") from None
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
