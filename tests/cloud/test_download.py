"""`lwise data download`: everything that was stored, also by a reading that was cut short."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from lwise_core.cloud.snapshot import Snapshot
from lwise_core.errors import InputError
from tests.aws import StandIn
from tests.cloud.conftest import N_TRIALS, Deployed
from tests.run_cli import lwise, succeed
from tests.sessions.conftest import answer


@pytest.fixture
def study(deploy: Callable[..., Deployed]) -> Deployed:
    """Three have finished, one has answered two trials, one none."""
    made = deploy("moths_4")
    for who in "abc":
        made.finishes(who)
    made.starts("d", n_answers=2)
    made.starts("e")
    return made


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _read(study: Deployed, folder: Path) -> Snapshot:
    return Snapshot(study.tables, folder, on_progress=lambda done, total: None)


def _lose(account: StandIn, study: Deployed, participant: str, index: int) -> None:
    """Take a trial out of the table, as nothing of ours does."""
    found = account.client("dynamodb").query(
        TableName=study.tables.session_table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :trial)",
        ExpressionAttributeValues={":pk": {"S": f"participant {participant}"}, ":trial": {"S": "trial "}},
    )
    key = {name: found["Items"][index][name] for name in ("pk", "sk")}
    account.client("dynamodb").delete_item(TableName=study.tables.session_table, Key=key)


def test_the_tables_hold_every_trial_and_every_session(study: Deployed, tmp_path: Path) -> None:
    said = succeed("data", "download", study.folder, "--out", "got", folder=tmp_path)
    trials, sessions = _rows(tmp_path / "got" / "trials.csv"), _rows(tmp_path / "got" / "sessions.csv")
    stored = {(record["participant"], record["obs"]) for record in study.service.trial_records()}
    assert {(row["participant"], int(row["obs"])) for row in trials} == stored
    assert len(trials) == len(stored) == 3 * N_TRIALS + 2
    assert sorted(int(row["n_stored"]) for row in sessions) == [0, 2, N_TRIALS, N_TRIALS, N_TRIALS]
    assert f"trials.csv ({len(trials)}), sessions.csv (5)" in said


def test_a_study_whose_stack_is_gone_is_found_by_its_bucket(study: Deployed, account: StandIn, tmp_path: Path) -> None:
    account.client("s3").put_bucket_tagging(
        Bucket=study.tables.bucket,
        Tagging={
            "TagSet": [
                {"Key": "lwise:stack", "Value": study.stack},
                {"Key": "lwise:session-table", "Value": study.tables.session_table},
                {"Key": "lwise:counter-table", "Value": study.tables.counter_table},
            ]
        },
    )
    account.client("cloudformation").delete_stack(StackName=study.stack)
    refused = lwise("data", "download", study.folder, "--out", "got", folder=tmp_path)
    assert refused.returncode == 2
    assert f"{study.stack}: does not exist" in refused.stderr
    assert f"Its data were retained: --bucket {study.tables.bucket}" in refused.stderr
    succeed("data", "download", study.folder, "--out", "got", "--bucket", study.tables.bucket, folder=tmp_path)
    assert len(_rows(tmp_path / "got" / "trials.csv")) == 3 * N_TRIALS + 2


def test_a_bucket_that_is_not_of_a_study_is_refused(study: Deployed, tmp_path: Path) -> None:
    for bucket, said in (
        (study.tables.bucket, "is not the data bucket of a study"),
        ("nobodys-bucket", "NoSuchBucket"),
    ):
        refused = lwise("data", "download", study.folder, "--bucket", bucket, folder=tmp_path)
        assert refused.returncode == 2
        assert f"bucket {bucket}: " in refused.stderr
        assert said in refused.stderr


def test_no_second_copy_of_the_data_is_left(study: Deployed, tmp_path: Path) -> None:
    succeed("data", "download", study.folder, "--out", "got", folder=tmp_path)
    assert sorted(path.name for path in (tmp_path / "got").iterdir()) == ["sessions.csv", "trials.csv"]


def test_progress_counts_every_session(study: Deployed, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    Snapshot(study.tables, tmp_path / "got", on_progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 5) for done in range(1, 6)]


def test_a_trial_that_the_table_lacks_is_missed(study: Deployed, account: StandIn, tmp_path: Path) -> None:
    participant = next(iter(study.store.sessions())).participant
    _lose(account, study, participant, 1)
    with pytest.raises(InputError, match=f"lacks 1 of the {N_TRIALS} trials of participant {participant}"):
        _read(study, tmp_path / "got")


def test_what_was_read_before_is_not_asked_for_again(study: Deployed, account: StandIn, tmp_path: Path) -> None:
    participant = next(iter(study.store.sessions())).participant
    before = _read(study, tmp_path / "got").trials(participant)
    _lose(account, study, participant, 1)
    assert _read(study, tmp_path / "got").trials(participant) == before


def test_a_session_that_has_gone_on_is_read_anew(study: Deployed, tmp_path: Path) -> None:
    token = study.starts("f", n_answers=1)
    first = _read(study, tmp_path / "got")
    study.service.record(token, [answer(1)])
    second = _read(study, tmp_path / "got")
    participant = next(one.participant for one in study.store.sessions() if one.ids.assignment_id == "f")
    assert [record["obs"] for record in first.trials(participant)] == [0]
    assert [record["obs"] for record in second.trials(participant)] == [0, 1]
    assert second.trial_indices(participant) == {0, 1}
