"""YAML that rejects duplicate keys, of which PyYAML would silently keep the last.

Knows nothing of what the keys mean.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from lwise_core.errors import InputError


def read_yaml(path: Path) -> Any:
    """Read a YAML file (UTF-8): mappings, lists, text, numbers, booleans, None.

    Raises
    ------
    InputError
        As `parse_yaml`, or if the file is not UTF-8.
    OSError
        If the file cannot be read; the caller knows what to expect there.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a YAML file ({error.reason} at byte {error.start}, expected UTF-8)") from None
    return parse_yaml(text, source=str(path))


def parse_yaml(text: str, *, source: str) -> Any:
    """As `read_yaml`, for text from `source`.

    Raises
    ------
    InputError
        If it is not valid YAML, or a key is duplicated.
    """
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2026-02-31
        raise InputError(f"{source}: not a YAML file ({' '.join(str(error).split())})") from None


class _UniqueKeyLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise yaml.YAMLError(f"duplicate key {key.value!r}, the second one in line {line}")
                seen.add(key.value)
        return super().construct_mapping(node, deep)
