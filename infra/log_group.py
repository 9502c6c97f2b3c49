"""A log group that goes with its stack and keeps lines for a limited time."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group(scope: Construct, id_: str, *, name: str | None = None) -> logs.LogGroup:
    """Three months of lines; none of ours names a person.

    Parameters
    ----------
    name : of a group that AWS would otherwise make itself, and leave behind.
    """
    return logs.LogGroup(
        scope,
        id_,
        log_group_name=name,
        retention=logs.RetentionDays.THREE_MONTHS,
        removal_policy=RemovalPolicy.DESTROY,
    )
