"""Tables that other tools leave behind, read as evaluations: cvpo-safe-rl's progress.txt, OmniSafe's progress.csv."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FILES = ("progress.txt", "progress.csv")


class Tool(NamedTuple):
    """The columns of one tool's table; the first of several names that is there counts."""

    name: str
    step: tuple[str, ...]
    tests: tuple[str, str, str]
    """Return, cost and length of an episode in evaluations."""
    training: tuple[str, str, str]
    """The same while training, where evaluations are not logged."""
    seconds: tuple[str, ...] = ()
    limit: tuple[str, ...] = ()


TOOLS = (
    Tool(
        "OmniSafe",
        ("TotalEnvSteps",),
        ("Metrics/TestEpRet", "Metrics/TestEpCost", "Metrics/TestEpLen"),
        ("Metrics/EpRet", "Metrics/EpCost", "Metrics/EpLen"),
        ("Time/Total",),
    ),
    Tool(
        "cvpo-safe-rl",
        ("TotalEnvInteracts",),
        ("TestEpRet", "TestEpCost", "TestEpLen"),
        ("EpRet", "EpCost", "EpLen"),
        ("Time",),
        ("CostLimit",),
    ),
    Tool(
        "safety-starter-agents",
        ("TotalEnvInteracts",),
        ("AverageTestEpRet", "AverageTestEpCost", "TestEpLen"),
        ("AverageEpRet", "AverageEpCost", "EpLen"),
        ("Time",),
    ),
    Tool(
        "FSRL",
        ("update/env_step", "Steps"),
        ("test/reward", "test/cost", "test/length"),
        ("train/reward", "train/cost", "train/length"),
    ),
)
"""How they name what they log. cvpo-safe-rl puts the tab of its display before a name (`eval/TestEpRet`)."""
NO_LIMIT = 1e3
"""What cvpo-safe-rl writes as its limit where the policy has none."""


class Table(NamedTuple):
    """One run of another tool."""

    path: Path
    tool: str
    label: str
    env: str
    """"" if neither its config nor its folder tells."""
    seed: int | None
    limit: float | None
    acting: str
    step: np.ndarray
    """[L], and so are the others; NaN where a thing is not told."""
    seconds: np.ndarray
    length: np.ndarray
    returns: np.ndarray
    cost: np.ndarray


def table_of(path: Path) -> Path | None:
    """The table of another tool at `path` (the file, or a folder with it); None if there is none."""
    if path.name in FILES and path.is_file():
        return path
    return next((path / name for name in FILES if (path / name).is_file()), None)


def read(path: Path) -> Table:
    """The table in the file `path`, with what its config and folder tell of the run."""
    columns = _columns(path)
    for tool in TOOLS:
        found = {name: values for name, values in _named(columns, tool)}
        for names, acting in (
            (tool.tests, f"{tool.name}'s evaluations"),
            (tool.training, f"{tool.name}'s training episodes"),
        ):
            step = next((found[name] for name in tool.step if name in found), None)
            if step is not None and names[0] in found and names[1] in found:
                return _table(path, tool, found, step, names, acting)
    known = "; ".join(f"{tool.name}: {tool.step[0]}, {tool.training[0]}, {tool.training[1]}" for tool in TOOLS)
    raise ValueError(
        f"{path} has the columns {', '.join(list(columns)[:8])}, which are no tool's that is known here ({known})"
    )


def _table(
    path: Path, tool: Tool, found: dict[str, np.ndarray], step: np.ndarray, names: tuple[str, str, str], acting: str
) -> Table:
    returns, cost = found[names[0]], found[names[1]]
    unknown = np.full(len(step), np.nan)
    rows = np.isfinite(step) & np.isfinite(returns) & np.isfinite(cost)
    if not rows.any():
        raise ValueError(f"{path} has no rows with numbers yet")
    config = _config(path)
    limits = [float(found[name][rows][-1]) for name in tool.limit if name in found]
    limit = limits[0] if limits and limits[0] != NO_LIMIT else _limit(config)
    method, env = _identity(path, config)
    return Table(
        path=path,
        tool=tool.name,
        label=f"{method} of {tool.name}" if method else tool.name,
        env=env,
        seed=_seed(path, config),
        limit=limit,
        acting=acting,
        step=step[rows],
        seconds=next((found[name] for name in tool.seconds if name in found), unknown)[rows],
        length=found.get(names[2], unknown)[rows],
        returns=returns[rows],
        cost=cost[rows],
    )


def _columns(path: Path) -> dict[str, np.ndarray]:
    """Columns by name, NaN for what is no number; a last row that is cut short is left out."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file, delimiter="\t" if path.suffix == ".txt" else ",")
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} is no table: {error}") from error
    whole = [row for row in rows if len(row) == len(header)]
    return {name: np.array([_number(row[i]) for row in whole], float) for i, name in enumerate(header)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _named(columns: dict[str, np.ndarray], tool: Tool) -> Iterator[tuple[str, np.ndarray]]:
    for name, values in columns.items():
        yield name, values
        if tool.name == "cvpo-safe-rl":
            yield name.rpartition("/")[2], values


def _config(path: Path) -> dict[str, Any]:
    """What the tool was asked to do, as far as it can be read."""
    try:
        config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _identity(path: Path, config: dict[str, Any]) -> tuple[str, str]:
    """(method, environment), from the config or, for OmniSafe, from the folder `ALGO-{ENV}/seed-...`."""
    method = config.get("algo") or config.get("policy") or ""
    env = config.get("env_id") or config.get("env") or config.get("env_name") or ""
    if (named := re.search(r"([\w-]+?)-\{([\w-]+)\}", str(path.resolve().parent))) is not None:
        method, env = method or named[1], env or named[2]
    return (method if isinstance(method, str) else ""), (env if isinstance(env, str) else "")


def _seed(path: Path, config: dict[str, Any]) -> int | None:
    if isinstance(seed := config.get("seed"), int):
        return seed
    named = re.search(r"(?:seed-|_s)(\d+)", path.resolve().parent.name)
    return int(named[1]) if named else None


def _limit(config: dict[str, Any]) -> float | None:
    """The one cost limit that stands anywhere in a config: tools keep it in several places."""
    found: set[float] = set()
    left: list[Any] = [config]
    while left:
        part = left.pop()
        for name, value in part.items():
            if isinstance(value, dict):
                left.append(value)
            elif name in ("cost_limit", "cost_lim") and isinstance(value, int | float):
                found.add(float(value))
    return found.pop() if len(found) == 1 else None
