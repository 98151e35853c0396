"""What every config checks of itself: choices by their annotation, numbers by the ranges that it names."""

from __future__ import annotations

import typing
from typing import Any

from bridle.core.names import nearest


def check(config: Any, ranges: dict[str, tuple[bool, str]]) -> None:
    """`ValueError` for a field with `Literal` that is none of its words, or for one whose range does not hold.

    `ranges`: field -> (does it hold?, what is allowed).
    """
    for name, hint in typing.get_type_hints(type(config)).items():
        value, allowed = getattr(config, name), typing.get_args(hint)
        if typing.get_origin(hint) is typing.Literal and value not in allowed:
            words = ", ".join(map(repr, allowed))
            raise ValueError(f"{name} = {value!r}; allowed: {words}{nearest(str(value), allowed)}")
    for name, (holds, allowed) in ranges.items():
        if not holds:
            raise ValueError(f"{name} = {getattr(config, name)!r}; allowed: {allowed}")
