"""A monthly budget for jobs, with e-mails when it is nearly used or exceeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from lwise_core.errors import InputError

_NOTIFICATIONS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""(cost that is compared, percentage of the budget above which an e-mail is sent)."""


@dataclass(frozen=True)
class Budget:
    """USD per month, above 0, and the address that is notified."""

    usd: float
    email: str

    @classmethod
    def of(cls, usd: str, email: str) -> Budget | None:
        """The budget from the two values on the command line; None if both are empty.

        Raises
        ------
        InputError
            If one of them is missing or invalid.
        """
        if not usd and not email:
            return None
        if not usd.replace(".", "", 1).isdecimal() or float(usd) == 0:
            raise InputError(f"budget_usd is {usd!r}; expected USD a month above 0, e.g. -c budget_usd=200")
        if email.count("@") != 1 or email.startswith("@") or email.endswith("@"):
            raise InputError(f"budget_email is {email!r}; expected an address, e.g. -c budget_email=lab@example.edu")
        return cls(float(usd), email)


def monthly_budget(scope: Construct, id_: str, budget: Budget, *, tag: str, values: Sequence[str]) -> None:
    """A budget for resources whose tag has one of `values`; activate the tag for cost allocation in the account."""
    budgets.CfnBudget(
        scope,
        id_,
        budget=budgets.CfnBudget.BudgetDataProperty(
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=budgets.CfnBudget.SpendProperty(amount=budget.usd, unit="USD"),
            cost_filters={"TagKeyValue": [f"user:{tag}${value}" for value in values]},
        ),
        notifications_with_subscribers=[
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    notification_type=cost,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=budget.email)],
            )
            for cost, percent in _NOTIFICATIONS
        ],
    )
