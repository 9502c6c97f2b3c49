"""`Monitoring`: alarms on what needs attention at once, and a dashboard for the rest."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from lwise_core import aws_names

_FIVE_MINUTES = Duration.minutes(5)
_SLOW_MSEC = 3_000
_HOURS_WITHOUT_FINISH = 6
_NAMESPACE = "lwise"


class Monitoring(Construct):
    """Alarms on errors, throttling, slow answers, and sessions that start but never finish.

    With an e-mail address they notify it through an SNS topic; without one they only show in the console.
    """

    def __init__(self, scope: Construct, id_: str, *, function: lambda_.Function, email: str | None) -> None:
        super().__init__(scope, id_)
        self._function = function
        started, ended = self._count("Started", "sessions"), self._count("Ended", "finish")
        self._build_dashboard(started, ended)
        alarms = [*self._function_alarms(), self._stuck_alarm(started, ended)]
        if email is not None:
            topic = self._build_topic(email)
            for alarm in alarms:
                alarm.add_alarm_action(actions.SnsAction(topic))

    def _function_alarms(self) -> list[cloudwatch.Alarm]:
        function = self._function
        return [
            self._alarm("Errors", function.metric_errors(period=_FIVE_MINUTES), 0, "the session function fails"),
            self._alarm("Throttles", function.metric_throttles(period=_FIVE_MINUTES), 0, "calls are turned away"),
            self._alarm(
                "Slow",
                function.metric_duration(period=_FIVE_MINUTES, statistic="p99"),
                _SLOW_MSEC,
                "one call in a hundred takes longer than 3 s",
            ),
        ]

    def _stuck_alarm(self, started: cloudwatch.IMetric, ended: cloudwatch.IMetric) -> cloudwatch.Alarm:
        meaning = f"nobody has finished for {_HOURS_WITHOUT_FINISH} hours, though some have started"
        stuck = cloudwatch.MathExpression(
            expression="IF(started > 2 AND FILL(ended, 0) == 0, 1, 0)",
            using_metrics={"started": started, "ended": ended},
            period=Duration.hours(_HOURS_WITHOUT_FINISH),
            label="participants start and none finishes",
        )
        return self._alarm(
            "NobodyFinishes",
            stuck,
            0,
            meaning,
        )

    def _alarm(self, id_: str, metric: cloudwatch.IMetric, threshold: float, meaning: str) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            id_,
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"{Stack.of(self).stack_name}: {meaning}",
        )

    def _count(self, id_: str, call: str) -> cloudwatch.Metric:
        """Count successful calls of one kind from the function's log lines."""
        counted = logs.MetricFilter(
            self,
            id_,
            log_group=self._function.log_group,
            filter_pattern=logs.FilterPattern.all(
                logs.FilterPattern.string_value(f"$.{aws_names.LOG_CALL}", "=", call),
                logs.FilterPattern.number_value(f"$.{aws_names.LOG_STATUS}", "=", 200),
            ),
            metric_namespace=_NAMESPACE,
            metric_name=f"{Stack.of(self).stack_name}-{id_}",
            metric_value="1",
        )
        return counted.metric(statistic="sum", period=Duration.hours(_HOURS_WITHOUT_FINISH))

    def _build_topic(self, email: str) -> sns.Topic:
        topic = sns.Topic(self, "Topic", display_name=f"{Stack.of(self).stack_name} alarms", enforce_ssl=True)
        topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

    def _build_dashboard(self, started: cloudwatch.Metric, ended: cloudwatch.Metric) -> None:
        function = self._function
        hour = Duration.hours(1)
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=Stack.of(self).stack_name)
        dashboard.add_widgets(
            cloudwatch.GraphWidget(
                title="Sessions",
                left=[started.with_(period=hour, label="opened"), ended.with_(period=hour, label="ended")],
                width=12,
            ),
            cloudwatch.GraphWidget(
                title="Time of an answer",
                left=[function.metric_duration(statistic=statistic, period=hour) for statistic in ("p50", "p99")],
                width=12,
            ),
            cloudwatch.GraphWidget(
                title="Calls, errors, throttles",
                left=[
                    metric(period=hour)
                    for metric in (function.metric_invocations, function.metric_errors, function.metric_throttles)
                ],
                width=24,
            ),
        )
