"""Tables inside tables, as TOML has them: laid over each other, taken apart by path, written again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

SHARED = ("options", "config")
"""Tables of settings that may stand inside others, to keep their keys apart."""
Path = tuple[str, ...]


def merged(*tables: Mapping) -> dict[str, Any]:
    """Tables of settings over each other, a later one wins; tables `options` and `config` in them are opened."""
    found: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            opened = value if key in SHARED and isinstance(value, dict) else {key: value}
            found = _over(found, opened)
    return found


def leaves(table: Mapping, is_leaf: Callable[[Any], bool], above: Path = ()) -> dict[Path, Any]:
    """What lies in a table by its path (`pid.kp` is a path of two); all that is no table, and tables that are a leaf."""
    found: dict[Path, Any] = {}
    for key, value in table.items():
        path = (*above, *key.split("."))
        if isinstance(value, dict) and not is_leaf(value):
            found |= leaves(value, is_leaf, path)
        else:
            found[path[1:] if path[0] in SHARED and len(path) > 1 else path] = value
    return found


def flat(table: Mapping) -> dict[str, Any]:
    """A table of tables as one with dotted keys."""
    return {".".join(path): value for path, value in leaves(table, lambda _: False).items()}


def put(table: dict, path: Path, value: Any) -> None:
    """Set what lies at a path; tables on the way are copied, since others may hold them."""
    *above, last = path
    for key in above:
        table[key] = dict(table[key]) if isinstance(table.get(key), dict) else {}
        table = table[key]
    table[last] = value


def get(table: Mapping, path: Path) -> Any:
    """What lies at a path; None where nothing does."""
    for key in path:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def to_toml(table: Mapping) -> str:
    """A table as the text of a TOML file."""
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(x)}" for key, x in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _over(under: Mapping, over: Mapping) -> dict[str, Any]:
    both = {k: _over(under[k], v) for k, v in over.items() if isinstance(v, dict) and isinstance(under.get(k), dict)}
    return {**under, **over, **both}
