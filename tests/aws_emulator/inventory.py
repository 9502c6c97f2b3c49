"""Everything that there is in an account, of all kinds of things that stacks of this project make."""

from __future__ import annotations

from collections import defaultdict

from tests.aws_emulator.stand_in import StandIn

Inventory = dict[str, list[str]]
"""Kind of thing -> names or ids in alphabetical order; no kind of which there is nothing."""

_NO_THING = "AWS::CDK::Metadata"


def inventory(stand_in: StandIn) -> Inventory:
    """What there is, whatever stack it belongs to or belonged to."""
    client = stand_in.client
    found = {
        "bucket": [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]],
        "table": client("dynamodb").list_tables()["TableNames"],
        "function": [function["FunctionName"] for function in client("lambda").list_functions()["Functions"]],
        "role": [role["RoleName"] for role in client("iam").list_roles()["Roles"]],
        "log group": [group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]],
        "topic": [topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]],
        "dashboard": [entry["DashboardName"] for entry in client("cloudwatch").list_dashboards()["DashboardEntries"]],
        "parameter": [parameter["Name"] for parameter in client("ssm").describe_parameters()["Parameters"]],
        "stack": [stack["StackName"] for stack in client("cloudformation").describe_stacks()["Stacks"]],
    }
    recorded = defaultdict(list)
    for part in stand_in.recorded():
        if part.kind != _NO_THING:
            recorded[part.kind].append(part.physical_resource_id)
    return {kind: sorted(names) for kind, names in {**found, **recorded}.items() if names}


def added(before: Inventory, after: Inventory) -> Inventory:
    """What is there now and was not there before."""
    more = {kind: sorted(set(names) - set(before.get(kind, ()))) for kind, names in after.items()}
    return {kind: names for kind, names in more.items() if names}
