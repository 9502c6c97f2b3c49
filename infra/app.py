"""The CDK app: `cdk ls` lists the stacks, `cdk deploy ExperimentStack-idaea4-10` puts a study online."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import App, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from infra.account_stack import AccountStack
from infra.budget import Budget
from infra.compute_stack import ComputeStack
from infra.experiment_stack import ExperimentStack
from infra.stimulus_stack import StimulusStack
from lwise_core import aws_names
from lwise_core.authoring.folder import StudyFolder, study_folders
from lwise_core.cloud.naming import experiment_stack_name, reject_duplicate_stacks, stimulus_stack_name
from lwise_core.errors import InputError

_PAGE = Path(__file__).parents[1] / "lwise_core" / "local" / "site"
_READABLE_BUCKETS = "readable_buckets"
"""Other buckets that jobs may read."""
_BUDGET = ("budget_usd", "budget_email")
"""Monthly budget for jobs in USD, and the address that is notified."""
_IN_VPC = "jobs_in_vpc"
"""Any value, e.g. `true`, lets jobs run in subnets of the account's VPC."""


def main() -> None:
    """Write the cloud assembly."""
    app = App()
    with tempfile.TemporaryDirectory() as work:
        build(app, study_folders(), page=_PAGE, work=Path(work))
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        app.synth()


def build(app: App, studies: Sequence[StudyFolder], *, page: Path, work: Path) -> None:
    """Add every stack to the app."""
    environment = Environment(
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
    )
    account = AccountStack(app, "AccountStack", env=environment)
    ComputeStack(
        app,
        aws_names.COMPUTE_STACK,
        readable_buckets=_names(app, _READABLE_BUCKETS),
        budget=Budget.of(*(str(app.node.try_get_context(key) or "") for key in _BUDGET)),
        in_vpc=bool(_names(app, _IN_VPC)),
        env=environment,
    )
    reject_duplicate_stacks(study.study_id for study in studies)
    _add_stimulus_stacks(app, studies, environment)
    for study in studies:
        name = experiment_stack_name(study.study_id)
        stack = ExperimentStack(app, name, study=study, page=page, work=work, env=environment)
        stack.add_stack_dependency(account, "its API logs with the account's role")


def _add_stimulus_stacks(app: App, studies: Sequence[StudyFolder], environment: Environment) -> None:
    """One for every data set that a study shows. Errors in a config are reported by the study's own stack."""
    datasets: dict[str, str] = {}
    for study in studies:
        with contextlib.suppress(InputError):
            if (dataset := study.config_file.config.stimuli.dataset) is not None:
                datasets.setdefault(stimulus_stack_name(dataset), dataset)
    for name, dataset in sorted(datasets.items()):
        StimulusStack(app, name, dataset=dataset, env=environment)


def _names(app: App, key: str) -> list[str]:
    """Comma-separated names from `cdk -c key=…`."""
    return [name for name in str(app.node.try_get_context(key) or "").split(",") if name]
