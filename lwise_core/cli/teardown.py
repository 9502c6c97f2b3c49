"""`lwise teardown`: a deployed study taken down, with what becomes of its data said before and after."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lwise_core.cli.progress import say, step
from lwise_core.cli.records import download_tables
from lwise_core.cli.study_arguments import STUDY
from lwise_core.cloud.naming import name_in_app
from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.cloud.deployed import DeployedStudy, Tables


def teardown(
    study: Path = STUDY,
    download: Path | None = typer.Option(None, help="Write trials.csv and sessions.csv into this folder first."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would go and what would stay, and change nothing."),
) -> None:
    """Take a deployed study down, as `cdk destroy` does, and say what was kept and what that costs.

    Example: `lwise teardown moths_0 --download moths-data`
    """
    from lwise_core.cloud.deployed import find_deployed
    from lwise_core.cloud.destroy import destroy, require_cdk
    from lwise_core.cloud.retained_resources import is_retained

    deployed = find_deployed(study)
    keeps = is_retained(deployed.tables)
    _say_who_is_there(deployed)
    _say("Page, images, API and function go.")
    if keeps:
        _say_what_is_kept(deployed.tables, heading="Participants' data stay:")
    else:
        _say("PARTICIPANTS' DATA GO WITH IT: this study was deployed with `on_destroy: delete`.")
    if dry_run:
        return
    if deployed.is_protected:
        raise InputError(
            f"{deployed.stack}: is protected from being deleted; set deployment.termination_protection to false and "
            f"run `npx cdk deploy {name_in_app(deployed.stack)}` before"
        )
    require_cdk()
    if not yes:
        _confirm(deployed.stack)
    if download is not None:
        download_tables(study, download, deployed.tables)
    destroy(deployed.stack)
    _say(f"{deployed.stack} is gone.")
    if keeps:
        _say_what_to_do_with(study, deployed.tables)


def _say_who_is_there(deployed: DeployedStudy) -> None:
    from lwise_core.cloud.aws_client import explain_aws_errors
    from lwise_core.cloud.deployed import open_store
    from lwise_core.experiments.study import TEST_PLATFORM
    from lwise_core.sessions.overview import progress_of

    now = datetime.now(UTC)
    with step("Checking for active participants"), explain_aws_errors(deployed.stack):
        sessions = [one for one in open_store(deployed.tables).sessions() if one.ids.platform != TEST_PLATFORM]
    counted = Counter(progress_of(session, now) for session in sessions)
    stand = ", ".join(f"{number} {progress.replace('_', ' ')}" for progress, number in counted.most_common())
    _say(f"{deployed.stack}: {stand or 'nobody'} so far.")
    if active := counted["under_way"]:
        _say(f"{active} TAKE PART JUST NOW; they could not finish, and would get no code.")


def _say_what_is_kept(tables: Tables, *, heading: str) -> None:
    from lwise_core.cloud.retained_resources import retained_resources_of

    parts = retained_resources_of(tables)
    _say(heading)
    for part in parts:
        _say(f"  {part.kind} {part.name}: {part.n_bytes / 1e6:.1f} MB, {part.usd_a_month:.2f} USD a month")
    _say(f"  together {sum(part.usd_a_month for part in parts):.2f} USD a month, by the list prices of us-east-1")


def _confirm(stack: str) -> None:
    if not sys.stdin.isatty():
        raise InputError("nobody can be asked here; use --yes")
    typed = typer.prompt(f"Type {stack} to take it down", default="", show_default=False)
    if typed.strip() != stack:
        raise InputError(f"{typed!r} is not {stack}; nothing was changed")


def _say_what_to_do_with(study: Path, tables: Tables) -> None:
    from lwise_core.cloud.retained_resources import how_to_delete

    _say_what_is_kept(tables, heading="Kept:")
    _say("To fetch the data:")
    _say(f"  lwise data download {study} --out DATA --bucket {tables.bucket}")
    _say("To delete them for good:")
    for command in how_to_delete(tables):
        _say(f"  {command}")


def _say(text: str) -> None:
    say(text)
