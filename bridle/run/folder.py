"""The run folder: what lies where, how it is made and opened, and configs as JSON and back."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import platform
import re
import sys
import time
import tomllib
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bridle
from bridle.run.disk import FORMAT, replace_text

if TYPE_CHECKING:
    from bridle.core.types import Spec

LIBRARIES = ("jax", "jaxlib", "equinox", "optax", "numpy", "mujoco", "gymnasium", "safetensors")


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """A run that lies on the disk."""

    path: Path
    config: dict
    """`config.json`: everything that the run was asked to do."""

    @property
    def metrics(self) -> Path:
        """The CSV file with a row of metrics at each logged step."""
        return self.path / "metrics.csv"

    @property
    def videos(self) -> Path:
        """Where videos of this run go."""
        return self.path / "videos"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for writing, so that it is not resumed twice at once; a process that dies lets it go."""
        with open(self.path / ".lock", "a") as file:
            try:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(
                    f"{self.path} is being trained by another process; wait for it or stop it"
                ) from None
            except (ImportError, OSError):
                pass  # a system or a network disk without locks
            yield


def create(path: Path | str, config: dict) -> Path:
    """Make a new run folder with `config.json` and `versions.json`; `FileExistsError` if anything lies there."""
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(
            f"{path} exists and is not empty; nothing saved is ever overwritten: resume that run, or name another folder"
        )
    path.mkdir(parents=True, exist_ok=True)
    for name in ("checkpoints", "best", "videos"):
        (path / name).mkdir(exist_ok=True)
    replace_text(path / "versions.json", json.dumps(versions(), indent=1) + "\n")
    body = {"format": FORMAT, "bridle": bridle.__version__, **config}
    replace_text(path / "config.json", json.dumps(body, indent=1) + "\n")  # last: from here on it is a run folder
    return path


def open_run(path: Path | str) -> RunFolder:
    """The run folder at `path`; errors say what is missing there and which runs lie near."""
    path = Path(path)
    file = path / "config.json"
    if not file.is_file():
        why = (
            f"it has no {file.name}"
            if path.is_dir()
            else "a file lies there"
            if path.exists()
            else "nothing lies there"
        )
        raise FileNotFoundError(f"{path} is no run folder: {why}{_near(path)}")
    try:
        config = json.loads(file.read_text())
        if not isinstance(config, dict):
            raise ValueError("it holds no table")
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read ({error}): restore it from a copy, or start the run anew") from error
    if config.get("format", 0) > FORMAT:
        raise ValueError(
            f"{path} was made by a newer bridle, {config.get('bridle')} (format {config['format']}; "
            f"this one, {bridle.__version__}, reads up to {FORMAT}): upgrade bridle"
        )
    return RunFolder(path, config)


def default_path(root: Path | str, env: str, algo: str, seed: int) -> Path:
    """`ROOT/ENV/ALGO/seed-S-YYYYmmdd-HHMMSS`, with a number behind it if that is taken."""
    safe = [re.sub(r"[^\w.+-]+", "-", x).strip("-.") or "unnamed" for x in (env, algo)]
    path = Path(root, *safe, f"seed-{seed}-{time.strftime('%Y%m%d-%H%M%S')}")
    copy = 1
    while (free := path if copy == 1 else path.with_name(f"{path.name}-{copy}")).exists():
        copy += 1
    return free


def versions() -> dict[str, str | None]:
    """What this process runs on; imports nothing."""
    out: dict[str, str | None] = {"bridle": bridle.__version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            out[name] = None
    out["platform"] = platform.platform()
    out["processors"] = str(os.cpu_count())
    if "jax" in sys.modules:
        device = sys.modules["jax"].devices()[0]
        out["device"] = f"{device.platform}: {device.device_kind}"
    return out


def to_json(config: Any) -> Any:
    """A (frozen) dataclass as JSON: tuples become lists; nested dataclasses carry their class name as `kind`."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise ValueError(f"a config is a dataclass, not {type(config).__name__}")
    return {field.name: _plain(getattr(config, field.name), field.name) for field in dataclasses.fields(config)}


def from_json(cls: type, data: dict, where: str = "") -> Any:
    """The dataclass `cls` from what `to_json` told, or from a user's file; a field that is not told keeps its default.

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
            raise ValueError(f"no field {_join(where, name)!r} in {cls.__name__}{_mean(name, fields)}")
        values[name] = _parse(hints[name], value, _join(where, name))
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
        raise FileNotFoundError(f"no file {path}{_mean(path.name, there)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from error


def spec_to_json(spec: Spec) -> dict:
    """What a policy must know of its world to be used without it."""
    kind = "size" if hasattr(spec.action, "size") else "choices"
    return {**dataclasses.asdict(spec), "obs": _obs_to_json(spec.obs), "action": {kind: getattr(spec.action, kind)}}


def spec_from_json(data: dict) -> Spec:
    """The spec that `spec_to_json` told."""
    from bridle.core.types import Continuous, Discrete, Spec  # NumPy comes with it, and names are looked up without

    action = Continuous(**data["action"]) if "size" in data["action"] else Discrete(**data["action"])
    notes = tuple((name, text) for name, text in data["notes"])
    constraints = tuple(data["constraints"])
    return Spec(
        **{**data, "obs": _obs_from_json(data["obs"]), "action": action, "notes": notes, "constraints": constraints}
    )


def _obs_to_json(obs: Any) -> dict:
    if isinstance(obs, dict):
        return {"dict": {name: _obs_to_json(part) for name, part in obs.items()}}
    if isinstance(obs, tuple):
        return {"tuple": [_obs_to_json(part) for part in obs]}
    return {"shape": list(obs.shape), "dtype": obs.dtype}


def _obs_from_json(data: dict) -> Any:
    if "dict" in data:
        return {name: _obs_from_json(part) for name, part in data["dict"].items()}
    if "tuple" in data:
        return tuple(map(_obs_from_json, data["tuple"]))
    from bridle.core.types import Leaf

    return Leaf(tuple(data["shape"]), data["dtype"])


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


def _parse(hint: Any, value: Any, where: str) -> Any:
    """`value` as the annotation `hint` wants it."""
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
        return from_json(hint, value, where)
    if (origin or hint) in (tuple, list) and isinstance(value, list | tuple):
        return _parse_sequence(origin or hint, args, value, where, hint)
    if (origin or hint) is dict and isinstance(value, dict):
        return {k: _parse(args[1] if args else Any, x, f"{where}.{k}") for k, x in value.items()}
    if hint in (None, type(None)) and value is None:
        return None
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
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
            raise ValueError(f"{where}.kind = {kind!r}; allowed: {', '.join(classes)}{_mean(str(kind), classes)}")
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
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _mean(name: str, known) -> str:
    """The nearest known name, or all of them if they are few."""
    known = [str(x) for x in known]
    if near := difflib.get_close_matches(name, known, 1, 0.6):
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(known)}" if 0 < len(known) <= 20 else ""


def _near(path: Path) -> str:
    """Runs below `path`, or beside it, for an error."""
    if path.is_dir() and (below := [x.parent for x in sorted(path.glob("**/config.json"))][:5]):
        return f"; run folders below it: {', '.join(map(str, below))}"
    beside = [x.parent.name for x in path.parent.glob("*/config.json")] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, 3, 0.3)
    return f"; run folders beside it: {', '.join(near)}" if near else ""
