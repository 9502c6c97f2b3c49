"""An e-mail when jobs cost more in a month than was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from lwise_core.errors import InputError

_MAILS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""(what is compared, per cent of the budget above which a mail is sent)."""


@dataclass(frozen=True)
class Budget:
    """USD a month, above 0, and who is told."""

    usd: float
    email: str

    @classmethod
    def of(cls, usd: str, email: str) -> Budget | None:
        """As given on the command line; None where neither is.

        Raises
        ------
        InputError
            If one is missing, or has a value that it cannot have.
        """
        if not usd and not email:
            return None
        if not usd.replace(".", "", 1).isdecimal() or float(usd) == 0:
            raise InputError(f"budget_usd is {usd!r}; expected USD a month above 0, e.g. -c budget_usd=200")
        if email.count("@") != 1 or email.startswith("@") or email.endswith("@"):
            raise InputError(f"budget_email is {email!r}; expected an address, e.g. -c budget_email=lab@example.edu")
        return cls(float(usd), email)


def monthly_budget(scope: Construct, id_: str, budget: Budget, *, tag: str, values: Sequence[str]) -> None:
    """A budget of what carries a tag with one of these values; the tag has to be activated for cost allocation."""
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
                    notification_type=compared,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=budget.email)],
            )
            for compared, percent in _MAILS
        ],
    )
