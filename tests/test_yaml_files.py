"""YAML files are read without silent loss, and problems are reported with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core.errors import InputError
from lwise_core.yaml_files import parse_yaml, read_yaml


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text("eps: [1, 2]\nname: Schürze\n", encoding=encoding)
        assert read_yaml(path) == {"eps": [1, 2], "name": "Schürze"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\nb: 2\na: 3\n", "mine.yaml: not a YAML file .*duplicate key 'a', .* in line 3"),
        ("x: {a: 1, a: 2}\n", "duplicate key 'a', the second one in line 1"),
        ("a: [1\n", "mine.yaml: not a YAML file .*line 2"),
        ("a: 2026-02-31\n", "mine.yaml: not a YAML file .*day"),
        ("[" * 5000, "mine.yaml: not a YAML file"),
    ],
)
def test_invalid_yaml_is_rejected(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_yaml(text, source="mine.yaml")


def test_equal_keys_of_different_mappings_are_allowed() -> None:
    assert parse_yaml("x: {a: 1}\ny: {a: 2}\n", source="mine.yaml") == {"x": {"a": 1}, "y": {"a": 2}}


def test_other_encoding_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes("name: Schürze".encode("latin-1"))
    with pytest.raises(InputError, match=r"mine.yaml: not a YAML file \(.* at byte 9, expected UTF-8\)"):
        read_yaml(tmp_path / "mine.yaml")
