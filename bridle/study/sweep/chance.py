"""Random search: settings drawn from distributions, the same for the same seed however many are drawn."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from typing import Any

from bridle.core.names import nearest
from bridle.study.sweep.nested import Path, leaves

KINDS = ("uniform", "log-uniform", "integers", "choice")
DIGITS = 6
"""Significant digits of a drawn number."""
SEARCH = {"metric": "eval/return at feasibility", "mode": "max"}
"""What [search] may say, with its defaults: Optuna chooses what [random] would draw."""
METRICS = (SEARCH["metric"], "eval/return", "eval/return_std", "eval/cost", "eval/length", "eval/feasible", "episode/return",
           "episode/cost", "episode/length", "time/steps_per_s", "time/updates_per_s", "time/seconds")  # fmt: skip
"""What every run tells; there may be a `cost_1` beside the cost, and what updates tell (`policy/q`) is known by them alone."""


def check(table: Mapping, search: Mapping) -> None:
    """Does [random] say what to draw, and how often? And does [search] name what runs tell?"""
    for key, value in search.items():
        if key not in SEARCH:
            raise ValueError(f"[search]: no key {key!r}{nearest(key, SEARCH)}")
        if key == "mode" and value not in ("min", "max"):
            raise ValueError(f"[search]: mode = {value!r}; allowed: 'max', 'min'")
        if key == "metric" and not _is_told(value):
            raise ValueError(f"[search]: metric = {value!r} is no column of metrics.csv{nearest(str(value), METRICS)}")
    if search and not table:
        raise ValueError("[search] chooses what [random] draws from, but there is no table [random]")
    if not table:
        return
    if type(table.get("samples")) is not int or table["samples"] < 1:
        raise ValueError(f"[random]: samples = {table.get('samples')!r}; allowed: an integer > 0")
    if not leaves_of(table):
        raise ValueError("[random] draws nothing; allowed: settings such as discount = {uniform = [0.95, 0.99]}")
    for path, how in leaves_of(table).items():
        _check_one(".".join(path), how)


def _is_told(metric: Any) -> bool:
    """May a run tell it?"""
    group, slash, _ = str(metric).partition("/")
    fixed = {name.partition("/")[0] for name in METRICS}
    return bool(slash) and (group not in fixed or re.sub(r"/cost_\d+$", "/cost", metric) in METRICS)


def leaves_of(table: Mapping) -> dict[Path, dict]:
    """Each distribution by the path of its setting."""
    told = {key: value for key, value in table.items() if not (key in ("samples", "seed") and type(value) is int)}
    return leaves(told, _is_distribution)


def samples(table: Mapping) -> list[dict[tuple[str, ...], Any]]:
    """What [random] draws; one empty sample where there is no such table."""
    if not table:
        return [{}]
    seed, found = table.get("seed", 0), leaves_of(table)
    return [
        {path: _draw(random.Random(f"{seed} {i} {'.'.join(path)}"), how) for path, how in found.items()}
        for i in range(table["samples"])
    ]


def _is_distribution(value: Any) -> bool:
    """A table of one list, as in `{uniform = [0.9, 0.99]}`, whose name is a distribution's, or should be."""
    return len(value) == 1 and (any(key in KINDS for key in value) or all(isinstance(x, list) for x in value.values()))


def _check_one(name: str, how: Any) -> None:
    allowed = f"one of {', '.join(f'{{{kind} = [...]}}' for kind in KINDS)}"
    if not isinstance(how, dict) or len(how) != 1:
        raise ValueError(f"[random]: {name} = {how!r}; allowed: {allowed}")
    ((kind, values),) = how.items()
    if kind not in KINDS:
        raise ValueError(f"[random]: {name}: no distribution {kind!r}{nearest(kind, KINDS)}")
    if not isinstance(values, list) or not values:
        raise ValueError(f"[random]: {name}.{kind} = {values!r}; allowed: a list")
    if kind == "choice":
        return
    numbers = [x for x in values if isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)]
    whole = kind != "integers" or all(type(x) is int for x in values)
    if len(values) != 2 or len(numbers) != 2 or not values[0] < values[1] or not whole:
        what = "integers" if kind == "integers" else "numbers"
        raise ValueError(f"[random]: {name}.{kind} = {values!r}; allowed: [low, high], two {what}, low < high")
    if kind == "log-uniform" and values[0] <= 0:
        raise ValueError(f"[random]: {name}.{kind} = {values!r}; allowed: numbers > 0")


def _draw(rng: random.Random, how: Mapping) -> Any:
    ((kind, values),) = how.items()
    if kind == "choice":
        return rng.choice(values)
    low, high = values
    if kind == "integers":
        return rng.randint(low, high)
    number = rng.uniform(low, high) if kind == "uniform" else math.exp(rng.uniform(math.log(low), math.log(high)))
    return min(max(float(f"{number:.{DIGITS}g}"), low), high)
