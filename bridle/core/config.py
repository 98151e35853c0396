"""What every config checks of itself: choices by their annotation, numbers by the ranges that it names."""

from __future__ import annotations

import typing
from contextlib import suppress
from typing import Any

from bridle.core.names import nearest

KINDS: dict[typing.Any, tuple] = {
    int: (int, "an integer"),
    float: (int | float, "a number"),
    bool: (bool, "True or False"),
    str: (str, "text"),
}
"""What a field of a plain type may hold, and how that is said."""


def integer(text: str) -> int:
    """An integer as people write it: `1000000`, `1_000_000`, `1e6`."""
    with suppress(ValueError):
        return int(text)
    with suppress(ValueError):
        if (number := float(text)).is_integer():
            return int(number)
    raise ValueError(f"{text}; allowed: an integer, such as 300_000 or 3e5")


def check_types(config: Any) -> None:
    """`ValueError` for a field of the wrong type, or for one with `Literal` that is none of its words."""
    for name, hint in typing.get_type_hints(type(config)).items():
        value, allowed = getattr(config, name), typing.get_args(hint)
        if hint in KINDS and (not isinstance(value, KINDS[hint][0]) or (hint is not bool and isinstance(value, bool))):
            raise ValueError(f"{name} = {value!r}; allowed: {KINDS[hint][1]}")
        if typing.get_origin(hint) is tuple and not isinstance(value, tuple):
            raise ValueError(f"{name} = {value!r}; allowed: a tuple, such as ({value!r},)")
        if typing.get_origin(hint) is typing.Literal and value not in allowed:
            words = ", ".join(map(repr, allowed))
            raise ValueError(f"{name} = {value!r}; allowed: {words}{nearest(str(value), allowed)}")


def check_ranges(config: Any, ranges: dict[str, tuple[bool, str]]) -> None:
    """`ValueError` for a field whose range does not hold; `ranges`: field -> (does it hold?, what is allowed)."""
    for name, (holds, allowed) in ranges.items():
        if not holds:
            raise ValueError(f"{name} = {getattr(config, name)!r}; allowed: {allowed}")
