"""A log group with limited retention that is deleted with its stack."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group(scope: Construct, id_: str, *, name: str | None = None) -> logs.LogGroup:
    """A log group that retains three months; our log lines name no participant.

    Parameters
    ----------
    name : name of a group that AWS would otherwise create itself, and leave behind.
    """
    return logs.LogGroup(
        scope,
        id_,
        log_group_name=name,
        retention=logs.RetentionDays.THREE_MONTHS,
        removal_policy=RemovalPolicy.DESTROY,
    )
