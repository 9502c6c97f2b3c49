"""What a job may cost, from a table that is data with its date."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lwise_core.yaml_files import read_yaml
from sagemaker_jobs.container.job import Job


@dataclass(frozen=True)
class Estimate:
    """In USD, without storage and requests.

    Attributes
    ----------
    per_hour : of all machines together, on demand; None where the table does not have the kind of machine.
    spot : lowest and highest share of that which spot machines are likely to cost; None without them.
    max_hours : after which the job is stopped.
    date : of the table.
    """

    per_hour: float | None
    spot: tuple[float, float] | None
    max_hours: float
    date: str

    def told(self) -> str:
        """For people."""
        if self.per_hour is None:
            return "price unknown: the table has no such machine; see AWS's page of SageMaker prices"
        lowest, highest = self.spot or (1.0, 1.0)
        hour, most = self.per_hour, self.per_hour * self.max_hours
        if self.spot is None:
            told = f"{hour:.2f} USD an hour, at most {most:.2f} USD in {self.max_hours:g} h"
        else:
            told = (
                f"{hour * lowest:.2f} to {hour * highest:.2f} USD an hour on spot machines, at most {most:.2f} USD in "
                f"{self.max_hours:g} h"
            )
        return f"{told} (prices of us-east-1, {self.date}, not guaranteed)"


def estimate(job: Job) -> Estimate:
    """What the machines of a job may cost."""
    table: dict[str, Any] = read_yaml(Path(__file__).with_name("prices.yaml"))
    price = table["usd_per_hour"].get(job.compute.instance_type)
    lowest, highest = table["spot_share"]
    return Estimate(
        per_hour=None if price is None else price * job.compute.instance_count,
        spot=(lowest, highest) if job.uses_spot else None,
        max_hours=job.compute.max_hours,
        date=str(table["date"]),
    )
