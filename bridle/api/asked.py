"""What a run is asked to do: by a caller, as names and settings, or by the folder that it left."""

from __future__ import annotations

import dataclasses
import importlib
import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bridle import algorithms, envs
from bridle.core.names import nearest
from bridle.run import folder as folders
from bridle.run import records
from bridle.run.options import Options


class Asked(NamedTuple):
    """A run to begin: every name in it is known, and its values are possible."""

    name: str
    """Of the algorithm."""
    config: Any
    """Its Config: what builds the algorithm."""
    options: Options
    preset: str | None = None
    """Where unsaid values came from."""
    env: Any = None
    """An environment, or what makes one, that was passed as an object; None if `options.env` names it."""
    copies: bool = True
    """Does `options.num_envs` hold, or does `env` say how many copies it is?"""
    cost_fn: Any = None
    """A function that was passed as such; None if `options.cost_fn` names one, or none is wanted."""
    seeds: tuple[int, ...] = ()
    """Where there are any, each of them is trained, instead of `options.seed`."""


def resolve(config: Any, env: Any, preset: str | None, settings: dict) -> Asked:
    """What a caller asks: `settings` win over the preset, the preset over defaults; `ValueError` for what cannot be."""
    if "seed" in settings and "seeds" in settings:
        raise ValueError("seed and seeds are both told; seed is for one run, seeds for several: leave one of them out")
    settings = dict(settings)
    seeds = check_seeds(settings.pop("seeds")) if "seeds" in settings else ()
    named = isinstance(config, str)
    name = algorithms.check(config) if named else _name_of(config)
    if preset is not None and not named:
        raise ValueError("a preset sets an algorithm's config: pass its name instead of a config")
    chosen = algorithms.preset(preset, name) if preset is not None else None
    fields = [field.name for field in dataclasses.fields(Options)]
    rest = {k: v for k, v in settings.items() if k not in fields}
    if rest and not named:
        raise ValueError(f"no option {next(iter(rest))!r}{nearest(next(iter(rest)), fields)}")
    told = None if env is None or isinstance(env, str) else env
    cost_fn = settings.get("cost_fn") if callable(settings.get("cost_fn")) else None
    settings = {**({"env": env} if isinstance(env, str) else {}), **settings}
    settings |= {"cost_fn": None} if cost_fn is not None else {}
    asked = {**_fitting(chosen.options, settings, told), **settings} if chosen else settings
    options = {k: v for k, v in asked.items() if k in fields}
    for field in ("cost_limit", "cost_limit_start"):
        if isinstance(options.get(field), int | float):
            options[field] = (options[field],)
    options = records.from_json(Options, options)
    envs.parse_args(options.env_args)
    if told is None:
        envs.check(options.env)
    if named:
        own = [field.name for field in dataclasses.fields(algorithms.config_class(name))]
        for key in rest:
            if key not in own:
                raise ValueError(f"no setting {key!r}{nearest(key, [*own, *fields])}")
        told_by_name = algorithms.base_of(name)[1]
        values = {**(chosen.config if chosen else {}), **told_by_name, **rest}
        config = records.from_json(algorithms.config_class(name), values)
        algorithms.check_said(name, config, rest)
    return Asked(name, config, options, preset, told, told is None or "num_envs" in settings, cost_fn, seeds)


def check_seeds(seeds: Any) -> tuple[int, ...]:
    """Seeds of one training, no two the same."""
    try:
        found = tuple(map(operator.index, seeds))
    except TypeError:
        found = ()
    if not found or not all(0 <= seed < 2**31 for seed in found):
        raise ValueError(f"seeds = {seeds!r}; allowed: one or more integers in [0, 2^31), such as (0, 1, 2)")
    if twice := [seed for i, seed in enumerate(found) if seed in found[:i]]:
        raise ValueError(f"seeds has {twice[0]} twice: each gives one run")
    return found


def _fitting(options: dict, settings: dict, told: Any) -> dict:
    """A preset's options; the arguments of its environment only for one of the same suite."""
    env = settings.get("env", options.get("env")) if told is None else None
    tasks = envs.tasks()
    same = env is not None and not env.startswith("toy/") and env.removeprefix("bridle/") in tasks
    return {k: v for k, v in options.items() if k != "env_args" or same}


def _name_of(config: Any) -> str:
    if not callable(getattr(config, "build", None)) or not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise ValueError(
            f"config = {config!r}; allowed: an algorithm's name, or a dataclass value with build(spec, limit)"
        )
    module = type(config).__module__
    if module.startswith("bridle.algorithms."):
        return module.rpartition(".")[2]
    return f"{module}:{type(config).__qualname__}"


def recorded_options(found: folders.RunFolder) -> Options:
    return _from_record(Options, found, "options")


def with_env_args(options: Options, pairs: Sequence[str]) -> Options:
    """`options` with these arguments of the environment in the place of those of the same names."""
    names = envs.parse_args(pairs)
    kept = [pair for pair in options.env_args if pair.partition("=")[0] not in names]
    return dataclasses.replace(options, env_args=(*kept, *pairs))


def recorded_config(found: folders.RunFolder, config: Any) -> Any:
    """The run's config; a class is imported by path inside `bridle.algorithms` alone."""
    path = found.config["class"]
    if config is not None:
        own = f"{type(config).__module__}:{type(config).__qualname__}"
        if own != path:
            raise ValueError(f"config is a {own}, but {found.path} was trained with a {path}")
        return _from_record(type(config), found, "config")
    module, _, name = path.partition(":")
    if not module.startswith("bridle.algorithms."):
        raise ValueError(
            f"{found.path} was trained with {path}, which is code of yours: pass an instance of it as config=..., in Python"
        )
    return _from_record(getattr(importlib.import_module(module), name), found, "config")


def _from_record(kind: type, found: folders.RunFolder, part: str) -> Any:
    try:
        return records.from_json(kind, found.config[part])
    except ValueError as error:
        made = found.config.get("bridle")
        raise ValueError(
            f"{found.path / 'config.json'}, made by bridle {made}, does not fit this one: {error}"
        ) from error


def recorded_env(found: folders.RunFolder, env: Any) -> Any:
    """The run's environment. A folder that someone sent may name any code, so what it names is only imported from the
    working directory; otherwise the caller names it again."""
    if env is not None:
        return env
    if found.config.get("env_object"):
        raise ValueError(
            f"{found.path} was trained on an object, {found.config['env_object']}: pass it, or a callable that makes it, "
            f"as env=... (on the command line --env module:callable)"
        )
    name = found.config["options"]["env"]
    if ":" in name and not _is_near(name.partition(":")[0]):
        raise ValueError(
            f"{found.path} names code outside of the working directory, {name}: go to where it lies, or name the "
            f"environment again: --env {name}"
        )
    return name


def recorded_cost(found: folders.RunFolder, cost_fn: Any) -> Any:
    """The run's cost function or its name, if it has one; as with its environment, the caller may have to pass it again."""
    if cost_fn is not None:
        return cost_fn
    if found.config.get("cost_fn_object"):
        raise ValueError(
            f"{found.path} was trained with a cost function of Python, {found.config['cost_fn_object']}: pass it again as "
            f"cost_fn=... (on the command line --cost-fn module:function)"
        )
    name = found.config["options"].get("cost_fn")
    if name is not None and not _is_near(name.partition(":")[0]):
        raise ValueError(
            f"{found.path} names code outside of the working directory, {name}: go to where it lies, or name the cost "
            f"function again: --cost-fn {name}"
        )
    return name


def _is_near(module: str) -> bool:
    """Does this module's file lie in the working directory?"""
    here = Path.cwd()
    places = [here.joinpath(*module.split(".")), here.joinpath(*module.split(".")).with_suffix(".py")]
    return any(place.exists() for place in places)
