"""Names: the nearest of those that are known, those of one thing for each constraint, the fields of a dataclass."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FEW = 20
"""So many names may stand in an error."""


def nearest(name: str, known: Iterable) -> str:
    """`; did you mean 'sac'?`, or all that there are if none is near and they are few; to be put behind a sentence."""
    by_lower = {str(one).lower(): str(one) for one in known}
    if near := difflib.get_close_matches(name.lower(), by_lower, 1, 0.5):
        return f"; did you mean {by_lower[near[0]]!r}?"
    return f"; there are {', '.join(by_lower.values())}" if 0 < len(by_lower) <= FEW else ""


def one_each(name: str, count: int) -> list[str]:
    """`name` for the first constraint, `name_1`, `name_2` ... for those that follow."""
    return [name if i == 0 else f"{name}_{i}" for i in range(count)]


def by_constraint(name: str, values) -> dict:
    """A metric for each constraint out of values [C]."""
    return dict(zip(one_each(name, len(values)), values, strict=True))


def called(value: Any) -> str:
    """A class or function as `module:name`, or by its bare name where no module has it; empty for one without, as a lambda."""
    path = getattr(value, "__qualname__", "")
    name = path.rpartition("<locals>.")[2]
    if not name or name.startswith("<"):
        return ""
    return name if name != path or value.__module__ == "__main__" else f"{value.__module__}:{name}"


def check_word(name: str, value: str, allowed: Iterable[str]) -> None:
    """An error that says what is allowed, if `value` is none of it."""
    if value not in (allowed := list(allowed)):
        raise ValueError(f"{name} = {value!r}; allowed: {', '.join(allowed)}")


def field_names(path: str) -> list[str]:
    """The fields of the dataclass at `module:Class` and of what it extends, read from the source: an import takes seconds."""
    module, _, kind = path.partition(":")
    tree = ast.parse(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind]
    near = module.rpartition(".")[0]
    imported = {
        alias.name: node.module for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    names = []
    for base in map(ast.unparse, found.bases):  # `td3.Config`, or `Rollouts` by `from ... import Rollouts`
        names += field_names(f"{imported[base]}:{base}" if base in imported else f"{near}.{base.replace('.', ':')}")
    told = [node.target for node in found.body if isinstance(node, ast.AnnAssign)]
    return list(dict.fromkeys([*names, *(target.id for target in told if isinstance(target, ast.Name))]))
