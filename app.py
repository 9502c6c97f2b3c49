"""The CDK app: `cdk ls` says what can be deployed, `cdk deploy ExperimentStack-idaea4-10` puts a study online."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import App, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from infra.account_stack import AccountStack
from infra.experiment_stack import ExperimentStack
from lwise_core.cloud.naming import experiment_stack_name, refuse_twins
from lwise_core.errors import InputError
from lwise_core.experiments.authoring.folder import StudyFolder, study_folders

_PAGE = Path(__file__).parent / "lwise_core" / "local" / "site"


def main() -> None:
    """Write the cloud assembly."""
    app = App()
    with tempfile.TemporaryDirectory() as work:
        build(app, study_folders(), page=_PAGE, work=Path(work))
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        app.synth()


def build(app: App, studies: Sequence[StudyFolder], *, page: Path, work: Path) -> None:
    """Every stack of the app."""
    environment = Environment(
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
    )
    account = AccountStack(app, "AccountStack", env=environment)
    refuse_twins(study.study_id for study in studies)
    for study in studies:
        name = experiment_stack_name(study.study_id)
        stack = ExperimentStack(app, name, study=study, page=page, work=work, env=environment)
        stack.add_stack_dependency(account, "its API logs with the account's role")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"Error: {error}")
