"""What a researcher is alarmed of, and by whom: every alarm, filter and subscription exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra.conftest import Synthesised
from tests.infra.readable import resources, statements

_STACK, _WITHOUT_EMAIL = "ExperimentStack-kept-1", "ExperimentStack-deleted-2"
_SIX_HOURS = 6 * 3600
_ON_THE_FUNCTION = {"Dimensions": [{"Name": "FunctionName", "Value": "<SessionsFunction>"}], "Namespace": "AWS/Lambda"}


def _count(name: str) -> dict[str, Any]:
    metric = {"MetricName": f"{_STACK}-{name.title()}", "Namespace": "lwise"}
    stat = {"Metric": metric, "Period": _SIX_HOURS, "Stat": "Sum"}
    return {"Id": name, "MetricStat": stat, "ReturnData": False}


_ALARMS = {
    "MonitoringErrors": {**_ON_THE_FUNCTION, "MetricName": "Errors", "Statistic": "Sum", "Period": 300, "Threshold": 0},
    "MonitoringThrottles": {
        **_ON_THE_FUNCTION,
        "MetricName": "Throttles",
        "Statistic": "Sum",
        "Period": 300,
        "Threshold": 0,
    },
    "MonitoringSlow": {
        **_ON_THE_FUNCTION,
        "MetricName": "Duration",
        "ExtendedStatistic": "p99",
        "Period": 300,
        "Threshold": 3000,
    },
    "MonitoringNobodyFinishes": {
        "Metrics": [
            {
                "Expression": "IF(started > 2 AND FILL(ended, 0) == 0, 1, 0)",
                "Id": "expr_1",
                "Label": "participants start and none finishes",
                "ReturnData": True,
            },
            _count("started"),
            _count("ended"),
        ],
        "Threshold": 0,
    },
}
_EVERY_ALARM = {
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "TreatMissingData": "notBreaching",
    "AlarmActions": ["<MonitoringTopic>"],
}


def _alarms(synthesised: Synthesised, stack: str) -> dict[str, dict[str, Any]]:
    alarms = resources(synthesised.templates[stack], "AWS::CloudWatch::Alarm")
    return {
        id_: {key: value for key, value in alarm.items() if key not in ("AlarmDescription", "Tags")}
        for id_, alarm in alarms.items()
    }


def test_alarms_are_exactly_these(synthesised: Synthesised) -> None:
    assert _alarms(synthesised, _STACK) == {id_: {**alarm, **_EVERY_ALARM} for id_, alarm in _ALARMS.items()}


def test_alarm_descriptions_begin_with_the_stack(synthesised: Synthesised) -> None:
    alarms = resources(synthesised.templates[_STACK], "AWS::CloudWatch::Alarm").values()
    assert all(alarm["AlarmDescription"].startswith(f"{_STACK}: ") for alarm in alarms)


@pytest.mark.parametrize(
    ("started", "ended", "alarms"), [(2, None, False), (3, None, True), (3, 0, True), (3, 1, False), (100, 1, False)]
)
def test_stuck_alarm_needs_three_starts_and_no_end(
    synthesised: Synthesised, started: int, ended: int | None, alarms: bool
) -> None:
    expression = _alarms(synthesised, _STACK)["MonitoringNobodyFinishes"]["Metrics"][0]["Expression"]
    functions = {
        "IF": lambda condition, yes, no: yes if condition else no,
        "FILL": lambda value, default: default if value is None else value,
    }
    # Metric math reads like Python but for the case of AND.
    value = eval(expression.replace("AND", "and"), {**functions, "started": started, "ended": ended})  # noqa: S307
    assert (value > 0) == alarms


@pytest.mark.parametrize(("name", "call"), [("Started", "sessions"), ("Ended", "finish")])
def test_successful_calls_are_counted_from_the_functions_log(synthesised: Synthesised, name: str, call: str) -> None:
    metric = {"MetricName": f"{_STACK}-{name}", "MetricNamespace": "lwise", "MetricValue": "1"}
    assert resources(synthesised.templates[_STACK], "AWS::Logs::MetricFilter")[f"Monitoring{name}"] == {
        "FilterPattern": f'{{ ($.call = "{call}") && ($.status = 200) }}',
        "LogGroupName": "<SessionsFunctionLogs>",
        "MetricTransformations": [metric],
    }


def test_alarms_are_mailed_over_tls_only(synthesised: Synthesised) -> None:
    template = synthesised.templates[_STACK]
    (subscription,) = resources(template, "AWS::SNS::Subscription").values()
    assert subscription == {"Endpoint": "lab@example.org", "Protocol": "email", "TopicArn": "<MonitoringTopic>"}
    (topic,) = resources(template, "AWS::SNS::Topic").values()
    assert topic["DisplayName"] == f"{_STACK} alarms"
    (policy,) = resources(template, "AWS::SNS::TopicPolicy").values()
    assert policy["Topics"] == ["<MonitoringTopic>"]
    assert statements(policy["PolicyDocument"]) == [
        ("Deny", "*", ("sns:Publish",), ("<MonitoringTopic>",), "Bool aws:SecureTransport false")
    ]


def test_alarms_without_an_address_only_show_in_the_console(synthesised: Synthesised) -> None:
    alarms = _alarms(synthesised, _WITHOUT_EMAIL)
    assert alarms.keys() == _ALARMS.keys()
    assert not any("AlarmActions" in alarm for alarm in alarms.values())
    assert not resources(synthesised.templates[_WITHOUT_EMAIL], "AWS::SNS::Topic")


def test_dashboard_shows_sessions_answer_times_and_failures(synthesised: Synthesised) -> None:
    (dashboard,) = resources(synthesised.templates[_STACK], "AWS::CloudWatch::Dashboard").values()
    shown: dict[str, list[tuple[Any, ...]]] = {}
    for widget in json.loads(dashboard["DashboardBody"])["widgets"]:
        metrics = widget["properties"]["metrics"]
        shown[widget["properties"]["title"]] = [
            (*line[:2], line[-1].get("stat", "Average"), line[-1]["period"]) for line in metrics
        ]
    function = "AWS/Lambda"
    assert shown == {
        "Sessions": [("lwise", f"{_STACK}-Started", "Sum", 3600), ("lwise", f"{_STACK}-Ended", "Sum", 3600)],
        "Time of an answer": [(function, "Duration", "p50", 3600), (function, "Duration", "p99", 3600)],
        "Calls, errors, throttles": [(function, name, "Sum", 3600) for name in ("Invocations", "Errors", "Throttles")],
    }
