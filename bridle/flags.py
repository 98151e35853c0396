"""Flags out of dataclasses, read from their source: names, types, defaults and docstrings, without importing anything.

So `--help` and every error about a name answer at once, though the Config of an algorithm lives beside JAX code.
"""

from __future__ import annotations

import ast
import difflib
import textwrap
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

WIDTH = 100
"""Columns of a help text."""


class Flag(NamedTuple):
    """One field as a flag."""

    name: str
    """Of the field, with underscores."""
    hint: Any
    """Its type."""
    default: Any
    doc: str

    @property
    def text(self) -> str:
        """As it is typed."""
        return "--" + self.name.replace("_", "-")


REQUIRED = object()
"""The default of a field that has none."""


def read(path: Path, name: str) -> list[Flag]:
    """The fields of dataclass `name` in the file `path`, in order; a docstring follows its field."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    (body,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    flags = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        doc = " ".join(str(after.value.value).split()) if told else ""  # type: ignore[union-attr]
        hint = eval(ast.unparse(node.annotation), {"Literal": typing.Literal, "Any": Any})  # our own source
        default = REQUIRED if node.value is None else ast.literal_eval(node.value)
        flags.append(Flag(node.target.id, hint, default, doc))
    return flags


def parse(flags: Sequence[Flag], words: Sequence[str]) -> dict[str, Any]:
    """What `--name value`, `--name=value`, `--switch` and `--no-switch` say, by field; a `ValueError` says what is wrong."""
    known = {flag.name: flag for flag in flags}
    out: dict[str, Any] = {}
    words = list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            raise ValueError(f"{word!r} belongs to no option; options begin with --")
        told, equals, value = word[2:].partition("=")
        name = told.replace("-", "_")
        switched_off = (
            name.startswith("no_") and name not in known and known.get(name[3:], Flag("", 0, 0, "")).hint is bool
        )
        name = name[3:] if switched_off else name
        if name not in known:
            raise ValueError(f"no option --{told}{nearest('--' + told, [flag.text for flag in flags])}")
        flag, values = known[name], [value] if equals else []
        if flag.hint is bool:
            out[name] = not switched_off if not equals else read_value(flag, bool, value)
            continue
        while not equals and words and not words[0].startswith("--") and (not values or _many(flag.hint)):
            values.append(words.pop(0))
        if not values and not _many(flag.hint):
            raise ValueError(f"{flag.text} needs a value; allowed: {say(flag.hint)}")
        found = read_value(flag, flag.hint, *values)
        out[name] = out[name] + found if name in out and isinstance(found, tuple) and _open(flag.hint) else found
    return out


def read_value(flag: Flag, hint: Any, *texts: str) -> Any:
    """Words as the type `hint` wants them."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    wrong = ValueError(f"{flag.text} {' '.join(texts)}; allowed: {say(hint)}")
    if origin in (typing.Union, types.UnionType):
        if len(texts) == 1 and texts[0] in ("None", "none") and type(None) in args:
            return None
        for option in (x for x in args if x is not type(None)):
            try:
                return read_value(flag, option, *texts)
            except ValueError:
                continue
        raise wrong
    if origin is tuple:
        kinds = [args[0]] * len(texts) if args[-1] is Ellipsis else list(args)
        if len(kinds) != len(texts):
            raise wrong
        return tuple(read_value(flag, kind, text) for kind, text in zip(kinds, texts, strict=True))
    (text,) = texts
    if origin is typing.Literal:
        if text not in args:
            raise ValueError(f"{flag.text} {text}; allowed: {say(hint)}{nearest(text, args)}")
        return text
    if hint is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        if hint is int:
            return int(text) if "e" not in text.lower() else _whole(text)
        if hint in (float, str):
            return hint(text)
    except ValueError:
        pass
    raise wrong


def describe(flags: Sequence[Flag], defaults: dict[str, Any] | None = None) -> str:
    """A help text: a line or more for each flag."""
    defaults = defaults or {}
    left = [f"  {flag.text} {_placeholder(flag.hint)}".rstrip() for flag in flags]
    column = min(34, max((len(x) for x in left), default=0) + 2)
    lines = []
    for flag, start in zip(flags, left, strict=True):
        value = defaults.get(flag.name, flag.default)
        blank = value is REQUIRED or value is None or value is False or value == ()
        told = "" if blank else f" [{show(value)}]"
        text = textwrap.wrap(flag.doc + told, WIDTH - column) or [""]
        if len(start) + 2 > column:
            lines.append(start)
            start = ""
        lines.append(f"{start:{column}}{text[0]}")
        lines += [" " * column + line for line in text[1:]]
    return "\n".join(lines)


def show(value: Any) -> str:
    """A value as it would be typed."""
    if isinstance(value, tuple | list):
        return " ".join(map(show, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def say(hint: Any) -> str:
    """A type in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    words = {int: "an integer", float: "a number", str: "text", bool: "true or false", type(None): "none"}
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(say, args))
    if origin is typing.Literal:
        return ", ".join(map(str, args))
    if origin is tuple:
        several = {int: "integers", float: "numbers", str: "words"}.get(args[0], "values")
        return f"one or more {several}" if args[-1] is Ellipsis else f"{len(args)} {several}"
    return words.get(hint, str(hint))


def nearest(name: str, names) -> str:
    """`; did you mean ...?`, or nothing."""
    near = difflib.get_close_matches(name, [str(x) for x in names], 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _many(hint: Any) -> bool:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    return origin is tuple or (origin in (typing.Union, types.UnionType) and any(_many(x) for x in args))


def _open(hint: Any) -> bool:
    return typing.get_origin(hint) is tuple and typing.get_args(hint)[-1] is Ellipsis


def _placeholder(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _placeholder(next(x for x in args if x is not type(None)))
    if origin is typing.Literal:
        return "|".join(map(str, args))
    if origin is tuple:
        return f"{_placeholder(args[0])} ..." if args[-1] is Ellipsis else " ".join(map(_placeholder, args))
    return {int: "N", float: "X", str: "TEXT", bool: ""}.get(hint, "VALUE")


def _whole(text: str) -> int:
    """1e6 is a whole number too."""
    number = float(text)
    if number != int(number):
        raise ValueError(text)
    return int(number)
