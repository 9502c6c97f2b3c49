"""What pydantic found wrong, in words for people: the place, what is allowed, the value found."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]
"""Keys and list positions that lead to a value."""
DescribeUnknownKey = Callable[[Place], str]
"""Place of an unknown key -> what to say of it, for example `unknown key; did you mean step?`"""

_EXPECTED: Mapping[str, str] = {
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "a number"),
    "finite_number": "a finite number",
    "string_type": "text",
    "list_type": "a list",
    **dict.fromkeys(("dict_type", "model_type"), "a mapping (key: value)"),
    "literal_error": "{expected}",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than_equal": "{le:g} at most",
    "too_short": "{min_length} or more entries",
}
"""What is allowed, in place of pydantic's words for programmers."""
_UNION_MEMBERS = {"str", "int", "float", "bool"}


def problems_of(error: ValidationError, describe_unknown_key: DescribeUnknownKey, *, where: str = "") -> list[str]:
    """Each problem as `place: expected … (found …)`.

    Parameters
    ----------
    where : the part of the file that was validated, if not all of it.
    """
    problems = (_problem(details, describe_unknown_key, where) for details in error.errors(include_url=False))
    return list(dict.fromkeys(problems))


def unknown_key(key: object, known: Iterable[str]) -> str:
    """`unknown key`, with what was probably meant or all that is known."""
    names = list(known)
    if similar := get_close_matches(str(key), names, n=1):
        return f"unknown key; did you mean {similar[0]}?"
    return f"unknown key; expected one of {', '.join(sorted(names))}"


def _problem(details: ErrorDetails, describe_unknown_key: DescribeUnknownKey, where: str) -> str:
    place, kind, value = details["loc"], details["type"], details["input"]
    # In a place, pydantic names the member of a union too: `list[int]`, `str`.
    inner = ".".join(str(part) for part in place if "[" not in str(part) and part not in _UNION_MEMBERS)
    at = (", " if where.startswith("block") else ".").join(part for part in (where, inner) if part)
    prefix = f"{at}: " if at else ""
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return prefix + describe_unknown_key(place)
    if kind in ("missing", "missing_argument"):
        return f"{prefix}is missing"
    expected = _EXPECTED.get(kind)
    if expected is None:
        message = details["msg"].removeprefix("Value error, ")
    else:
        message = "expected " + expected.format(**details.get("ctx", {}))
    return prefix + message + ("" if isinstance(value, Mapping) and value else f" (found {reprlib.repr(value)})")
