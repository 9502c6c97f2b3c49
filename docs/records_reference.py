"""Write docs/formats/records.md from the columns that the code uses: `python docs/records_reference.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lwise_core import atomic_files
from lwise_core.records.columns import SESSION_COLUMNS, TRIAL_COLUMNS, Column

PAGE = Path(__file__).parent / "formats" / "records.md"


def page() -> str:
    """The whole page in Markdown."""
    return (
        "# trials.csv and sessions.csv\n\n"
        "Written by `lwise data export`. UTF-8, comma-separated, with a header; an empty cell is a missing value;\n"
        "flags are `True` or `False`; lists are JSON. Rows are sorted by participant and trial.\n\n"
        "## trials.csv\n\nOne row per answered trial.\n\n"
        f"{_table(TRIAL_COLUMNS)}\n"
        "## sessions.csv\n\nOne row per session.\n\n"
        f"{_table(SESSION_COLUMNS)}"
    )


def _table(columns: Sequence[Column]) -> str:
    rows = [
        f"| `{column.name}` | {column.kind}{', ' + column.unit if column.unit else ''} "
        f"| {'yes' if column.nullable else ''} | {column.description} |"
        for column in columns
    ]
    return "\n".join(["| column | holds | may be empty | meaning |", "| --- | --- | --- | --- |", *rows, ""])


if __name__ == "__main__":
    atomic_files.write_text(PAGE, page())
