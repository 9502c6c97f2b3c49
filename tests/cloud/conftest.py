"""A study as it stands in an AWS account: its stack with outputs, its tables, and some who take part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.cloud.deployed import Tables
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.store import PlatformIds
from lwise_core.sessions.stores.dynamodb.store import DynamoStore
from tests.aws import StandIn, create_stack
from tests.experiments.conftest import write_data_set, write_study
from tests.sessions.conftest import answer

N_TRIALS = 6
ADDRESS = "https://d111111abcdef8.cloudfront.net"


@dataclass(frozen=True)
class Deployed:
    """A study's folder, and where its sessions are."""

    folder: Path
    tables: Tables
    store: DynamoStore
    service: SessionService

    @property
    def stack(self) -> str:
        return f"ExperimentStack-{self.folder.name.replace('_', '-')}"

    def starts(self, who: str, *, platform: str = "prolific", n_answers: int = 0) -> str:
        """Somebody begins, and answers some trials; the token."""
        token = self.service.start(PlatformIds(platform, who)).token
        for index in range(n_answers):
            self.service.record(token, [answer(index)])
        return token

    def finishes(self, who: str) -> None:
        self.service.finish(self.starts(who, n_answers=N_TRIALS))


@pytest.fixture
def deploy(account: StandIn, tmp_path: Path) -> Callable[..., Deployed]:
    """Puts a study into the account, as far as a researcher's machine sees it."""

    def deployed(name: str, *, keep: bool = True, platforms: tuple[str, ...] = ("inperson", "test")) -> Deployed:
        data_set = write_data_set(tmp_path / "images", per_class={"val": 2})
        block = {"only": {"n_trials_per_class_val": 2}}
        folder = write_study(
            tmp_path / name, data_set, {"session_config": [block], "deployment": {"num_conditions": 2}}
        )
        place = account.new_place()
        account.client("dynamodb").update_table(TableName=place.session_table, DeletionProtectionEnabled=keep)
        store = account.store(place)
        made = Deployed(folder, Tables(**vars(place)), store, SessionService(compile_study(folder).study, store))
        links = {f"Link{platform.title()}": f"{ADDRESS}/?PLATFORM={platform}" for platform in platforms}
        outputs = {
            "Address": ADDRESS,
            "SessionTable": place.session_table,
            "CounterTable": place.counter_table,
            "DataBucket": place.bucket,
        }
        create_stack(account, made.stack, outputs | links)
        return made

    return deployed
