"""Configs as JSON and back: one declaration, a dataclass, says names, types and defaults of a file."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from pathlib import Path
from typing import Any

from bridle.core.config import KINDS
from bridle.core.names import nearest


def to_json(config: Any) -> Any:
    """A (frozen) dataclass as JSON: tuples become lists; nested dataclasses carry their class name as `kind`."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise ValueError(f"a config is a dataclass, not {type(config).__name__}")
    return {field.name: _plain(getattr(config, field.name), field.name) for field in dataclasses.fields(config)}


def from_json(cls: type, data: dict, where: str = "", base: Any = None) -> Any:
    """The dataclass `cls` from what `to_json` told, or from a user's file; a field that is not told keeps its default, or what `base`,
    a `cls`, has there. So do the fields of a field that is a dataclass.

    `ValueError` names an unknown key and the nearest field, or a value of the wrong type and what is allowed.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{where or cls.__name__} = {data!r}; allowed: a table of {cls.__name__}'s fields")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    values = {}
    for name, value in data.items():
        if name == "kind" and "kind" not in fields:
            continue
        if name not in fields:
            raise ValueError(f"no field {_join(where, name)!r} in {cls.__name__}{nearest(name, fields)}")
        default = _default(fields[name]) if base is None else getattr(base, name)
        values[name] = _parse(hints[name], value, _join(where, name), default)
    if base is not None:
        return dataclasses.replace(base, **values)
    for name, field in fields.items():
        bare = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if bare and name not in values:
            raise ValueError(f"{_join(where, name)} is missing; allowed: {_say(hints[name])}")
    return cls(**values)


def from_toml(path: Path | str) -> dict:
    """A TOML file as a dictionary; errors name the file and the line."""
    path = Path(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        there = [x.name for x in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise FileNotFoundError(f"no file {path}{nearest(path.name, there)}") from error
    except IsADirectoryError as error:
        raise ValueError(f"{path} is a folder; allowed: a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from error


def _plain(value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if any(field.name == "kind" for field in dataclasses.fields(value)):
            raise ValueError(f"{where}: {type(value).__name__} may have no field called kind, which names its class")
        return {"kind": type(value).__name__, **to_json(value)}
    if isinstance(value, tuple | list):
        return [_plain(x, where) for x in value]
    if isinstance(value, dict):
        return {key: _plain(x, f"{where}.{key}") for key, x in value.items()}
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"{where} = {value!r} cannot be saved; allowed: numbers, text, None, tuples, dataclasses of these")


def _default(field: dataclasses.Field) -> Any:
    """What a field holds where nothing is told."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _parse(hint: Any, value: Any, where: str, default: Any = None) -> Any:
    """`value` as the annotation `hint` wants it; fields that a table does not tell are those of `default`."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is typing.Annotated:
        return _parse(args[0], value, where)
    if origin in (typing.Union, types.UnionType):
        return _parse_union(args, value, where)
    if origin is typing.Literal and any(value == x and type(value) is type(x) for x in args):
        return value
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        if value.get("kind", hint.__name__) != hint.__name__:
            raise ValueError(f"{where}.kind = {value['kind']!r}; allowed: {hint.__name__}")
        return from_json(hint, value, where, default if isinstance(default, hint) else None)
    if (origin or hint) in (tuple, list) and isinstance(value, list | tuple):
        return _parse_sequence(origin or hint, args, value, where, hint)
    if (origin or hint) is dict and isinstance(value, dict):
        return {k: _parse(args[1] if args else Any, x, f"{where}.{k}") for k, x in value.items()}
    if hint in (None, type(None)) and value is None:
        return None
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)  # 1e6 is a float to TOML and to Python
    if hint in (int, bool, str) and type(value) is hint:
        return value
    raise ValueError(f"{where} = {value!r}; allowed: {_say(hint)}")


def _parse_union(options: tuple, value: Any, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    classes = {x.__name__: x for x in options if dataclasses.is_dataclass(x)}
    if isinstance(value, dict) and classes:
        kind = value.get("kind", next(iter(classes)) if len(classes) == 1 else None)
        if kind not in classes:
            raise ValueError(f"{where}.kind = {kind!r}; allowed: {', '.join(classes)}{nearest(str(kind), classes)}")
        return from_json(classes[kind], value, where)
    # An exact type first, so that 1 stays an int in `float | int`.
    for option in sorted(options, key=lambda x: x is not type(value)):
        try:
            return _parse(option, value, where)
        except ValueError:
            continue
    raise ValueError(f"{where} = {value!r}; allowed: {' or '.join(map(_say, options))}")


def _parse_sequence(make: type, args: tuple, value: Any, where: str, hint: Any) -> Any:
    if make is list or not args or args[-1] is Ellipsis:
        item = args[0] if args else Any
        return make(_parse(item, x, f"{where}[{i}]") for i, x in enumerate(value))
    if len(args) != len(value):
        raise ValueError(f"{where} = {value!r}; allowed: {_say(hint)}")
    return tuple(_parse(item, x, f"{where}[{i}]") for i, (item, x) in enumerate(zip(args, value, strict=True)))


def _say(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(map(repr, typing.get_args(hint)))
    if hint is type(None):
        return "None"
    if hint in KINDS:
        return KINDS[hint][1]
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
