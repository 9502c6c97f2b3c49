"""The tables on disk are the records of the server: nothing is lost, changed or let out."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from lwise_core.errors import InputError
from lwise_core.records.columns import SESSION_COLUMNS, TRIAL_COLUMNS
from lwise_core.records.tables import read_sessions, read_trials, sessions_table, trials_table, write_tables

from .synthetic import ASSIGNMENT_ID, WORKER_ID, Person, session_record, trial_record, trial_records

PEOPLE = [
    Person("p2", condition=1, training="10-1", checks="1", test="01"),
    Person("p1", condition=0, training="0111", checks="-", test="11"),
    Person("p3", condition=1, training="1", state="started"),
]
TRIALS = [trial for person in PEOPLE for trial in trial_records(person)]
SESSIONS = [session_record(person) for person in PEOPLE]
FURTHER = {
    "counted": [3, None],
    "measured": [0.5, 2.0],
    "flagged": [True, None],
    "worded": ["one, two", None],
    "listed": [["a", 1], []],
    "mixed": [1, "one"],
    "never_given": [None, None],
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_tables(TRIALS, SESSIONS, tmp_path)
    return tmp_path


def cells(path: Path) -> list[dict[str, str]]:
    """The file as another program reads it."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rewrite(path: Path, change: Callable[[list[list[str]]], object]) -> None:
    """Change the rows of a CSV file (the first holds the headings), as a careless editor would."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


class TestRoundTrip:
    def test_tables_read_back_are_equal_in_values_and_types(self, written: Path) -> None:
        assert_frame_equal(read_trials(written / "trials.csv"), trials_table(TRIALS))
        assert_frame_equal(read_sessions(written / "sessions.csv"), sessions_table(SESSIONS))

    def test_values_are_those_of_the_records(self, written: Path) -> None:
        table = read_trials(written / "trials.csv").astype(object)
        back = table.where(table.notna(), None).to_dict("records")
        assert back == sorted(TRIALS, key=lambda trial: (trial["participant"], trial["obs"]))

    def test_further_columns_come_back_too(self, tmp_path: Path) -> None:
        trials = [
            trial_record(Person("p1"), row) | {name: values[row] for name, values in FURTHER.items()} for row in (0, 1)
        ]
        write_tables(trials, [], tmp_path)
        table = read_trials(tmp_path / "trials.csv")
        assert_frame_equal(table, trials_table(trials))
        assert list(table.columns) == [column.name for column in TRIAL_COLUMNS] + sorted(FURTHER)
        assert table["flagged"].tolist() == [True, pd.NA]
        assert table["listed"].tolist() == ['["a", 1]', "[]"]
        assert table["mixed"].tolist() == ["1", "one"]

    def test_whole_numbers_have_no_decimals_even_beside_missing_values(self, written: Path) -> None:
        rows = cells(written / "trials.csv")
        assert {row["i_choice"] for row in rows} == {"", "0", "1"}
        assert {row["choice_duration_msec"] for row in rows} == {"10000"}
        assert {row["pre_choice_lockout_delay_duration_msec"] for row in rows} == {"16.7"}

    def test_numbers_beyond_exact_floats_are_unchanged(self, tmp_path: Path) -> None:
        write_tables([trial_record(Person("p1"), 0) | {"reaction_time_msec": 1e20}], [], tmp_path)
        assert read_trials(tmp_path / "trials.csv")["reaction_time_msec"].tolist() == [1e20]

    def test_same_records_in_any_order_give_the_same_bytes(self, tmp_path: Path) -> None:
        write_tables(TRIALS, SESSIONS, tmp_path / "one")
        write_tables(TRIALS[::-1], SESSIONS[::-1], tmp_path / "other")
        for name in ("trials.csv", "sessions.csv"):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()

    def test_empty_tables_have_headers(self, tmp_path: Path) -> None:
        write_tables([], [], tmp_path)
        trials, sessions = read_trials(tmp_path / "trials.csv"), read_sessions(tmp_path / "sessions.csv")
        assert (len(trials), len(sessions)) == (0, 0)
        assert_frame_equal(trials, trials_table([]))
        assert_frame_equal(sessions, sessions_table([]))


class TestText:
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1))
    @example("=HYPERLINK(1)")
    @example('say "moth", twice')
    @example("line\nbreak\n")
    @example("NA")
    @example(" ид æ 蛾 🦋 ")
    @settings(deadline=None, max_examples=25)
    def test_any_text_survives(self, text: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            write_tables([trial_record(Person("p1"), 0) | {"class": text, "choice_names": [text, "x"]}], [], out)
            table = read_trials(out / "trials.csv")
        assert table["class"].tolist() == [text]
        assert table["choice_names"].tolist() == [[text, "x"]]

    def test_carriage_returns_become_line_feeds_and_do_not_split_the_row(self, tmp_path: Path) -> None:
        write_tables([trial_record(Person("p1"), 0) | {"class": "old\rmac\r\nwindows"}], [], tmp_path)
        assert read_trials(tmp_path / "trials.csv")["class"].tolist() == ["old\nmac\nwindows"]

    def test_empty_text_is_a_missing_value(self, tmp_path: Path) -> None:
        trials = [trial_record(Person("p1"), 0) | {"query_string": ""}]
        write_tables(trials, [], tmp_path)
        assert_frame_equal(read_trials(tmp_path / "trials.csv"), trials_table(trials))


def test_platform_ids_are_in_the_sessions_alone(tmp_path: Path) -> None:
    with_ids = [{**trial, "assignment_id": ASSIGNMENT_ID, "worker_id": WORKER_ID} for trial in TRIALS]
    write_tables(with_ids, SESSIONS, tmp_path)
    trials = (tmp_path / "trials.csv").read_text(encoding="utf-8")
    sessions = (tmp_path / "sessions.csv").read_text(encoding="utf-8")
    for secret in (ASSIGNMENT_ID, WORKER_ID):
        assert secret in sessions
        assert secret not in trials
    assert "worker_id" not in trials


class TestFailedWrite:
    """What was there before stays, and nothing half-done stays beside it."""

    @pytest.fixture
    def before(self, written: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in written.iterdir()}

    def test_bad_record(self, written: Path, before: dict[str, bytes]) -> None:
        with pytest.raises(InputError, match="column perf"):
            write_tables([TRIALS[0] | {"perf": "right"}], [], written)
        assert {path.name: path.read_bytes() for path in written.iterdir()} == before

    def test_full_disk(self, written: Path, before: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        write_bytes = Path.write_bytes

        def write_half(path: Path, data: bytes) -> int:
            write_bytes(path, data[: len(data) // 2])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", write_half)
        with pytest.raises(InputError, match="No space left"):
            write_tables([], [], written)
        monkeypatch.undo()
        assert {path.name: path.read_bytes() for path in written.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"perf": 0.5}, "column perf"),
        ({"i_choice": 2**70}, "column i_choice"),
        ({"timing_ok": "maybe"}, "column timing_ok"),
        ({"reaction_time_msec": float("inf")}, "column reaction_time_msec"),
        ({"choice_names": "ajax"}, "column choice_names"),
        ({"class": None}, "column class is empty in 1 of 1"),
        ({"class": ""}, "column class is empty in 1 of 1"),
    ],
)
def test_record_with_an_invalid_value_is_rejected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        trials_table([trial_record(Person("p1"), 0) | changes])


def test_later_columns_are_empty_in_older_records(tmp_path: Path) -> None:
    """A data folder must be exported by whatever version comes after the one that wrote it."""
    later = [column.name for column in TRIAL_COLUMNS if column.later]
    assert {"focus_losses", "blank_achieved_frames"} < set(later)
    earlier = {name: value for name, value in trial_record(Person("p1"), 0).items() if name not in later}
    write_tables([earlier, trial_record(Person("p1"), 1)], [], tmp_path)
    table = read_trials(tmp_path / "trials.csv")
    assert table["focus_losses"].isna().tolist() == [True, False]
    assert_frame_equal(table, trials_table([earlier, trial_record(Person("p1"), 1)]))


def test_record_without_a_column_is_rejected() -> None:
    record = trial_record(Person("p1"), 0)
    del record["perf"]
    with pytest.raises(InputError, match="perf is missing in 1 of 2"):
        trials_table([trial_record(Person("p1"), 1), record])


class TestBadFiles:
    @pytest.mark.parametrize(
        ("column", "cell", "expected"),
        [
            ("perf", "right", "a whole number"),
            ("perf", "", "found nothing"),
            ("obs", "99999999999999999999", "a whole number"),
            ("timing_ok", "maybe", "True or False"),
            ("reaction_time_msec", "fast", "a number"),
            ("reaction_time_msec", "inf", "a number"),
            ("choice_names", "ajax", "a JSON list"),
            ("choice_names", "2", "a JSON list"),
            ("class", "", "expected text"),
        ],
    )
    def test_an_invalid_cell_is_named_by_file_column_and_row(
        self, written: Path, column: str, cell: str, expected: str
    ) -> None:
        path = written / "trials.csv"

        def spoil(rows: list[list[str]]) -> None:
            rows[3][rows[0].index(column)] = cell

        rewrite(path, spoil)
        with pytest.raises(InputError) as error:
            read_trials(path)
        for part in (str(path), f"column {column}, row 4", expected):
            assert part in str(error.value)

    def test_missing_column_is_named(self, written: Path) -> None:
        path = written / "sessions.csv"

        def rename(rows: list[list[str]]) -> None:
            rows[0][rows[0].index("state")] = "status"

        rewrite(path, rename)
        with pytest.raises(InputError, match=r"sessions\.csv: column state is missing"):
            read_sessions(path)

    def test_rows_longer_than_the_header_do_not_shift_the_columns(self, written: Path) -> None:
        path = written / "sessions.csv"
        rewrite(path, lambda rows: [row.append("stray") for row in rows[1:]])
        with pytest.raises(InputError, match=rf"sessions\.csv: .* more cells than the {len(SESSION_COLUMNS)} columns"):
            read_sessions(path)

    @pytest.mark.parametrize("content", [b"", b"participant\n\xff\xfe\n", b'participant\n"open'])
    def test_a_file_that_is_not_csv_in_utf_8_is_rejected(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "trials.csv"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"trials\.csv: not a CSV file in UTF-8"):
            read_trials(path)

    def test_no_such_file_says_what_makes_it(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"trials\.csv: no such file; make it with `lwise data export`"):
            read_trials(tmp_path / "trials.csv")

    def test_folder_instead_of_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read"):
            read_trials(tmp_path)
