"""A study file becomes a list of trials: every combination of what it names, less what it skips. Loads no JAX."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bridle import algorithms, envs
from bridle.core.names import field_names, nearest
from bridle.run import records
from bridle.study.sweep import chance
from bridle.study.sweep.nested import flat, leaves, merged, put

OPTIONS = "bridle.run.options:Options"
DEFAULT = "default"
"""Among `presets`: our own settings."""
ELSEWHERE = {"env": "envs", "seed": "seeds", "run": "folder", "algorithm": "algorithms", "preset": "presets"}
"""Options that a study file says otherwise."""


@dataclass(frozen=True)
class Study:
    """What a study file may say, and what holds where it does not."""

    algorithms: list[str]
    envs: list[str]
    name: str = ""
    """By default the file's."""
    folder: str = ""
    """Of all its run folders; by default `runs/NAME`."""
    seeds: list[int] = field(default_factory=lambda: [0])
    cost_limits: list[Any] = field(default_factory=list)
    """A number each, or a list with one for each constraint; by default what options, preset or defaults say."""
    presets: list[str] = field(default_factory=list)
    """An algorithm is run with each that is its own; `default` stands for our own settings."""
    options: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    algorithm: dict[str, dict] = field(default_factory=dict)
    """Settings of one algorithm; they win over the shared ones."""
    env: dict[str, dict] = field(default_factory=dict)
    """Settings on one environment; they win over an algorithm's."""
    grid: dict[str, Any] = field(default_factory=dict)
    random: dict[str, Any] = field(default_factory=dict)
    skip: list[dict] = field(default_factory=list)
    cpus: int = 1
    """Cores of one trial."""
    search: dict[str, Any] = field(default_factory=dict)


class Trial(NamedTuple):
    """One training."""

    name: str
    """Its folder inside the study's: it says the settings that the study varies."""
    algorithm: str
    preset: str | None
    settings: dict[str, Any]
    """Options and fields of the config, with `env` and `seed`."""
    axes: dict[str, Any]
    """What the study varies, as skip rules and tables name it."""

    @property
    def env(self) -> str:
        """Where it trains."""
        return self.settings["env"]


def read(path: Path | str) -> Study:
    """The study in a TOML file; a `ValueError` names a key or name that is not known, and the nearest."""
    path = Path(path)
    data = records.from_toml(path)
    known = Study.__dataclass_fields__
    for key in data:
        if key not in known:
            raise ValueError(f"{path}: no key {key!r}{nearest(key, known)}")
    try:
        found = records.from_json(Study, data)
        found = Study(**{**vars(found), "name": found.name or path.stem})
        _check(found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return found


def folder_of(study: Study) -> Path:
    """Where its runs lie."""
    return Path(study.folder or Path("runs", _safe(study.name)))


def trials(study: Study) -> list[Trial]:
    """Every trial, one seed of all combinations before the next; `ValueError` if none is left or two are the same."""
    found, skipped = [], [0] * len(study.skip)
    for trial in _product(study):
        rule = next((i for i, rule in enumerate(study.skip) if _matches(rule, trial.axes)), None)
        if rule is None:
            found.append(trial)
        else:
            skipped[rule] += 1
    if not found:
        raise ValueError("nothing is left to train: the skip rules match every combination")
    for rule, count in zip(study.skip, skipped, strict=True):
        if not count:
            raise ValueError(
                f"skip rule {rule} matches no trial (or only what rules before it skip): mend or delete it"
            )
    names = [trial.name for trial in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"several trials would be called {', '.join(twice)}: give their settings different names")
    return found


def cells(study: Study) -> list[str]:
    """The combinations in it, apart from seeds and samples."""
    return list(dict.fromkeys(re.split(r"(sample|seed)-", trial.name)[0].rstrip("_/") for trial in trials(study)))


# What is in the file --------------------------------------------------------------------------------------------------


def _check(study: Study) -> None:
    """Is every name in it known?"""
    for name in ("algorithms", "envs", "seeds"):
        if not getattr(study, name):
            raise ValueError(f"{name} = []; allowed: one or more")
    for name in ("algorithms", "envs", "seeds", "presets", "cost_limits"):
        values = getattr(study, name)
        if twice := [x for i, x in enumerate(values) if x in values[:i]]:
            raise ValueError(f"{name} has {twice[0]!r} twice")
    for one in study.algorithms:
        algorithms.check(one)
    for one in study.envs:
        envs.check(one)
        envs.check_elsewhere(one)
    if study.cpus < 1:
        raise ValueError(f"cpus = {study.cpus}; allowed: an integer > 0")
    _check_presets(study)
    _check_tables(study)
    axes = ["algorithm", "env", "seed", "cost_limit", "preset", *map(".".join, axes_of(study.grid))]
    for rule in study.skip:
        for key in flat(rule):
            if key not in axes:
                raise ValueError(f"skip rule {rule}: {key!r} is nothing that this study varies{nearest(key, axes)}")
    chance.check(study.random, study.search)


def _check_presets(study: Study) -> None:
    for one in study.presets:
        if one != DEFAULT and not any(_is_of(one, algorithm) for algorithm in study.algorithms):
            raise ValueError(f"preset {one!r} is of none of the algorithms {', '.join(study.algorithms)}")
    for algorithm in study.algorithms:
        if study.presets and not _presets(study, algorithm):
            raise ValueError(
                f"none of the presets {', '.join(study.presets)} is one of {algorithm}; {DEFAULT!r} stands for our settings"
            )


def _is_of(preset: str, algorithm: str) -> bool:
    from bridle.algorithms.presets import PRESETS

    if preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}{nearest(preset, [*PRESETS, DEFAULT])}")
    return algorithms.is_of(preset, algorithm)


def _presets(study: Study, algorithm: str) -> list[str]:
    return [one for one in study.presets if one == DEFAULT or _is_of(one, algorithm)]


def _check_tables(study: Study) -> None:
    """Is every setting one of the options, or of the config of each algorithm that it is for?"""
    options = field_names(OPTIONS)
    _known("[options]", study.options, options)
    configs = {one: _config_fields(one) for one in study.algorithms}
    for algorithm, fields in configs.items():
        hint = f" of {algorithm}" + (
            f"; settings of one algorithm stand under [algorithm.{algorithm}]" * (len(configs) > 1)
        )
        _known("[config]", study.config, fields, hint)
        for name, paths in (("grid", axes_of(study.grid)), ("random", chance.leaves_of(study.random))):
            table = {path[0]: None for path in paths}
            _known(f"[{name}]", table, [*options, *fields], f" among the options or settings{hint}")
    for name, table in study.algorithm.items():
        if name not in study.algorithms:
            raise ValueError(f"[algorithm.{name}], but algorithms has no {name!r}{nearest(name, study.algorithms)}")
        _known(f"[algorithm.{name}]", merged(table), [*options, *configs[name]])
    for name, table in study.env.items():
        if name not in study.envs:
            raise ValueError(f'[env."{name}"], but envs has no {name!r}{nearest(name, study.envs)}')
        for algorithm, fields in configs.items():
            _known(
                f'[env."{name}"]', merged(table), [*options, *fields], f" among the options or settings of {algorithm}"
            )
    if both := axes_of(study.grid).keys() & chance.leaves_of(study.random).keys():
        raise ValueError(f"{'.'.join(min(both))} is told twice: in [grid], and in [random]")
    grid = {path[0]: None for path in axes_of(study.grid)}
    told = [grid, study.options, *map(merged, study.algorithm.values()), *map(merged, study.env.values())]
    if study.cost_limits and any("cost_limit" in table for table in told):
        raise ValueError("cost_limit is told twice: in cost_limits, and as an option")


def _config_fields(algorithm: str) -> list[str]:
    return field_names(algorithms.ALGORITHMS[algorithms.base_of(algorithm)[0]][0])


def _known(where: str, table: Mapping, known: list[str], hint: str = "") -> None:
    for key in table:
        if key in ELSEWHERE:
            raise ValueError(f"{where}: {key!r} is told by {ELSEWHERE[key]} = ..., at the beginning of the file")
        if key not in known:
            raise ValueError(f"{where}: no key {key!r}{hint}{nearest(key, known)}")


# What it expands to ---------------------------------------------------------------------------------------------------


def _product(study: Study) -> Iterator[Trial]:
    axes = axes_of(study.grid)
    cells = [
        (env, algorithm, preset, limit)
        for env in study.envs
        for algorithm in study.algorithms
        for preset in _presets(study, algorithm) or [None]
        for limit in study.cost_limits or [None]
    ]
    samples = chance.samples(study.random)
    for seed, cell in itertools.product(study.seeds, cells):
        for values, (number, drawn) in itertools.product(itertools.product(*axes.values()), enumerate(samples)):
            chosen = dict(zip(axes, values, strict=True))
            yield _trial(study, seed, *cell, chosen, number if study.random else None, drawn)


def _trial(study, seed, env, algorithm, preset, limit, chosen: dict, number: int | None, drawn: dict) -> Trial:
    settings = merged(study.options, study.config, study.algorithm.get(algorithm, {}), study.env.get(env, {}))
    varied = {"preset": preset, "cost_limit": limit, **{".".join(path): value for path, value in chosen.items()}}
    varied = {key: value for key, value in varied.items() if value is not None}
    if limit is not None:
        settings["cost_limit"] = limit
    for path, value in {**chosen, **drawn}.items():
        put(settings, path, value)
    last = [f"{_short(key)}-{_word(value)}" for key, value in varied.items()]
    last += [] if number is None else [f"sample-{number:03d}"]
    name = "/".join([_safe(env), _safe(algorithm), "_".join([*last, f"seed-{seed}"])])
    axes = {"algorithm": algorithm, "env": env, "seed": seed, **varied}
    own = None if preset in (None, DEFAULT) else preset
    return Trial(name, algorithm, own, {**settings, "env": env, "seed": seed}, axes)


def axes_of(grid: Mapping) -> dict[tuple[str, ...], list]:
    """Each setting of the grid by its path, with its values."""
    found = leaves(grid, lambda _: False)
    for path, values in found.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"[grid]: {'.'.join(path)} = {values!r}; allowed: a list of one or more values")
        if twice := [x for i, x in enumerate(values) if x in values[:i]]:
            raise ValueError(f"[grid]: {'.'.join(path)} has {twice[0]!r} twice")
    return found


def _matches(rule: Mapping, axes: Mapping) -> bool:
    def fits(value: Any, wanted: Any) -> bool:
        return value == wanted or (isinstance(wanted, list) and value in wanted)

    return all(key in axes and fits(axes[key], wanted) for key, wanted in flat(rule).items())


def _short(key: str) -> str:
    return {"cost_limit": "limit"}.get(key, key.replace("_", "-"))


def _word(value: Any) -> str:
    """A value as a part of a folder's name; what cannot be one, or is long, is told apart by a hash."""
    text = "x".join(map(str, value)) if isinstance(value, list) else str(value)
    safe = _safe(text)
    if safe == text and len(text) <= 40:
        return text
    return f"{safe[:30]}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _safe(text: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.") or "unnamed"
